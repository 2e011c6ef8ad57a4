"""The doorbell, at the broker: one task in the queue however often it rings, and a word to who is at work already."""

import time

import pytest
from celery.beat import ScheduleEntry
from celery.schedules import schedule

from config.beat import Scheduler
from config.celery import app
from mms.runtime import time_slice, wakeup

QUEUE = wakeup.QUEUES[wakeup.NOTIFY]


@pytest.fixture(autouse=True)
def _silence() -> None:
    wakeup.record_start(wakeup.NOTIFY)
    with wakeup.connection() as broker:  # what other tests rang for; Celery would purge its default queue alone
        broker.delete(QUEUE)


def waiting() -> int:
    with wakeup.connection() as broker:
        return int(broker.llen(QUEUE))


def fetch() -> None:
    with wakeup.connection() as broker:
        broker.rpop(QUEUE)


def test_many_rings_are_one_task_until_it_begins() -> None:
    for _ in range(3):
        wakeup.wake(wakeup.NOTIFY)
    assert waiting() == 1
    fetch()
    wakeup.wake(wakeup.NOTIFY)
    assert waiting() == 0
    wakeup.record_start(wakeup.NOTIFY)
    wakeup.wake(wakeup.NOTIFY)
    assert waiting() == 1


def test_however_long_all_workers_are_busy_one_ring_waits_for_them() -> None:
    for _ in range(3):
        wakeup.record_start(wakeup.NOTIFY)  # an hour's worth of rings, each after the one before is thought lost
        wakeup.wake(wakeup.NOTIFY)
    assert waiting() == 1


def test_the_sweeps_of_beat_are_rings_like_any_other() -> None:
    scheduler = Scheduler(app, lazy=True)  # type: ignore[arg-type]  # the stubs know no other tasks than Celery's own
    sweep = ScheduleEntry("sweep", wakeup.NOTIFY, schedule=schedule(1.0))
    for _ in range(3):
        wakeup.record_start(wakeup.NOTIFY)
        scheduler.apply_entry(sweep)
    assert waiting() == 1


def test_what_shares_a_queue_with_long_shifts_is_still_wanted_when_they_end() -> None:
    others = [entry for entry in app.conf.beat_schedule.values() if entry["task"] not in wakeup.QUEUES]
    assert others
    assert all(entry["options"]["expires"] >= 10 * time_slice.LENGTH.total_seconds() for entry in others)


def test_who_is_at_work_is_told_of_a_ring_once() -> None:
    assert not wakeup.consume_wake(wakeup.NOTIFY)
    wakeup.wake(wakeup.NOTIFY)
    wakeup.wake(wakeup.NOTIFY)
    assert wakeup.consume_wake(wakeup.NOTIFY)
    assert not wakeup.consume_wake(wakeup.NOTIFY)


def test_a_task_that_begins_has_heard_the_rings_before_it() -> None:
    wakeup.wake(wakeup.NOTIFY)
    wakeup.record_start(wakeup.NOTIFY)
    assert not wakeup.consume_wake(wakeup.NOTIFY)


def test_who_works_on_is_known_to_look_though_it_began_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    began = wakeup.last_polls()[QUEUE]
    wakeup.record_poll(wakeup.NOTIFY)
    assert wakeup.last_polls()[QUEUE] == began  # noted once a second
    minute = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: minute)
    wakeup.record_poll(wakeup.NOTIFY)
    assert wakeup.last_polls()[QUEUE] > began
