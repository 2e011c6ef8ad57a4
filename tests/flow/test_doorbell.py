"""The doorbell, at the broker: one task in the queue however often it rings, and a word to who is at work already."""

import pytest

from mms import doorbell


@pytest.fixture(autouse=True)
def _silence() -> None:
    doorbell.answered(doorbell.NOTIFY)
    with doorbell.connection() as broker:  # what other tests rang for; Celery would purge its default queue alone
        broker.delete(doorbell.QUEUES[doorbell.NOTIFY])


def waiting() -> int:
    with doorbell.connection() as broker:
        return int(broker.llen(doorbell.QUEUES[doorbell.NOTIFY]))


def test_many_rings_are_one_task_until_it_begins() -> None:
    for _ in range(3):
        doorbell.ring(doorbell.NOTIFY)
    assert waiting() == 1
    doorbell.answered(doorbell.NOTIFY)
    doorbell.ring(doorbell.NOTIFY)
    assert waiting() == 2


def test_who_is_at_work_is_told_of_a_ring_once() -> None:
    assert not doorbell.woken(doorbell.NOTIFY)
    doorbell.ring(doorbell.NOTIFY)
    doorbell.ring(doorbell.NOTIFY)
    assert doorbell.woken(doorbell.NOTIFY)
    assert not doorbell.woken(doorbell.NOTIFY)


def test_a_task_that_begins_has_heard_the_rings_before_it() -> None:
    doorbell.ring(doorbell.NOTIFY)
    doorbell.answered(doorbell.NOTIFY)
    assert not doorbell.woken(doorbell.NOTIFY)
