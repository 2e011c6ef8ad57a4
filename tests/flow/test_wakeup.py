"""Wake-ups at the broker: one queued task for any number of them, and a flag for running workers."""

import time

import pytest
from celery.beat import ScheduleEntry
from celery.schedules import schedule

from config.beat import Scheduler
from config.celery import app
from mms.runtime import time_slice, wakeup

QUEUE = wakeup.QUEUES[wakeup.NOTIFY]


@pytest.fixture(autouse=True)
def _empty_queue() -> None:
    wakeup.record_start(wakeup.NOTIFY)
    with wakeup.connection() as broker:  # wake-ups of other tests; Celery would purge the default queue only
        broker.delete(QUEUE)


def queued() -> int:
    with wakeup.connection() as broker:
        return int(broker.llen(QUEUE))


def take_from_queue() -> None:
    with wakeup.connection() as broker:
        broker.rpop(QUEUE)


def test_repeated_wake_ups_queue_one_task_until_it_starts() -> None:
    for _ in range(3):
        wakeup.wake(wakeup.NOTIFY)
    assert queued() == 1
    take_from_queue()
    wakeup.wake(wakeup.NOTIFY)
    assert queued() == 0
    wakeup.record_start(wakeup.NOTIFY)
    wakeup.wake(wakeup.NOTIFY)
    assert queued() == 1


def test_one_wake_up_is_queued_while_all_workers_are_busy() -> None:
    for _ in range(3):
        wakeup.record_start(wakeup.NOTIFY)  # as after the expiry of the wake-up before
        wakeup.wake(wakeup.NOTIFY)
    assert queued() == 1


def test_beat_sweeps_are_deduplicated_wake_ups() -> None:
    scheduler = Scheduler(app, lazy=True)  # type: ignore[arg-type]  # the stubs only know Celery's own tasks
    sweep = ScheduleEntry("sweep", wakeup.NOTIFY, schedule=schedule(1.0))
    for _ in range(3):
        wakeup.record_start(wakeup.NOTIFY)
        scheduler.apply_entry(sweep)
    assert queued() == 1


def test_periodic_tasks_outlast_ten_time_slices_in_the_queue() -> None:
    others = [entry for entry in app.conf.beat_schedule.values() if entry["task"] not in wakeup.QUEUES]
    assert others
    assert all(entry["options"]["expires"] >= 10 * time_slice.LENGTH.total_seconds() for entry in others)


def test_running_worker_sees_a_wake_up_once() -> None:
    assert not wakeup.consume_wake(wakeup.NOTIFY)
    wakeup.wake(wakeup.NOTIFY)
    wakeup.wake(wakeup.NOTIFY)
    assert wakeup.consume_wake(wakeup.NOTIFY)
    assert not wakeup.consume_wake(wakeup.NOTIFY)


def test_starting_task_consumes_earlier_wake_ups() -> None:
    wakeup.wake(wakeup.NOTIFY)
    wakeup.record_start(wakeup.NOTIFY)
    assert not wakeup.consume_wake(wakeup.NOTIFY)


def test_long_running_worker_updates_its_last_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    began = wakeup.last_polls()[QUEUE]
    wakeup.record_poll(wakeup.NOTIFY)
    assert wakeup.last_polls()[QUEUE] == began  # recorded once a second
    minute = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: minute)
    wakeup.record_poll(wakeup.NOTIFY)
    assert wakeup.last_polls()[QUEUE] > began
