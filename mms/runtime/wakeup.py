"""Wake-up: notifies the workers through the broker that rows are due.

A wake-up may be lost, doubled or late: the rows in the database decide what is done. While a task waits in the queue
no other is sent: no worker is free then, and busy workers look for due rows anyway. So however many wake-ups are
requested, and however long all workers are busy, at most one task waits in the queue, beside the one that each worker
child has prefetched.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import redis
import structlog
from celery import current_app
from django.conf import settings
from kombu.exceptions import KombuError

log = structlog.get_logger()

WORK: Final = "mms.work"
NOTIFY: Final = "mms.notify"
ENCODE: Final = "mms.encode"
QUEUES: Final = {WORK: "flow", NOTIFY: "postbacks", ENCODE: "media"}
# Milliseconds after which a task that no worker has started counts as lost; the next sweep then sends another.
PENDING_TTL = 2_000
POLL_RECORD_INTERVAL = 1.0  # seconds between two records of a poll by one process
# Seconds without a try after the broker failed, so that not every request of a customer waits for it.
PAUSE = 1.0
BROKER_ERRORS = (redis.RedisError, KombuError, OSError)


def connection() -> redis.Redis:
    """Return a connection to the broker with short time-outs: no answer of it is worth a long wait."""
    # Without retry: the client's default would wait 4 seconds for a broker that is down.
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5, retry=None)


@dataclass
class _Wakeup:
    """The wake-up of one process: its connection to the broker, the end of a pause, its last record of each poll."""

    broker: redis.Redis = field(default_factory=connection)
    paused_until: float = 0.0
    recorded_at: dict[str, float] = field(default_factory=dict)

    def wake(self, task: str) -> None:
        self._call(task, self._wake)

    def _wake(self, task: str) -> None:
        with self.broker.pipeline(transaction=False) as commands:
            commands.set(f"woken:{task}", 1, px=PENDING_TTL)
            commands.set(f"pending:{task}", 1, nx=True, px=PENDING_TTL)
            commands.llen(QUEUES[task])
            _, first, waiting = commands.execute()
        if first and not waiting:
            current_app.send_task(task, queue=QUEUES[task], retry=False)

    def consume_wake(self, task: str) -> bool:
        return bool(self._call(task, lambda task: self.broker.delete(f"woken:{task}")))

    def record_start(self, task: str) -> None:
        self._call(task, self._record_start)

    def _record_start(self, task: str) -> None:
        self.broker.delete(f"pending:{task}", f"woken:{task}")
        self._record_poll(task)

    def record_poll(self, task: str) -> None:
        if time.monotonic() - self.recorded_at.get(task, -POLL_RECORD_INTERVAL) >= POLL_RECORD_INTERVAL:
            self._call(task, self._record_poll)

    def _record_poll(self, task: str) -> None:
        self.recorded_at[task] = time.monotonic()
        self.broker.set(f"polled:{task}", time.time())

    def _call(self, task: str, command: Callable[[str], object]) -> object:
        """Return the result of the command, or None while the broker is out of reach; after a failure, pause."""
        if time.monotonic() < self.paused_until:
            return None
        try:
            return command(task)
        except BROKER_ERRORS as problem:
            self.paused_until = time.monotonic() + PAUSE
            log.warning("broker out of reach, no wake-up", task=task, problem=str(problem))
            return None

    def last_polls(self) -> dict[str, float]:
        times = self.broker.mget([f"polled:{task}" for task in QUEUES])
        return {queue: float(at) for queue, at in zip(QUEUES.values(), times, strict=True) if at}


_wakeup = _Wakeup()


def wake(task: str) -> None:
    """Send the task to its queue, unless one waits there. Never raises: the sweep finds due rows in any case."""
    _wakeup.wake(task)


def record_start(task: str) -> None:
    """Record that the task has started: rows that become due from now on need a new wake-up."""
    _wakeup.record_start(task)


def record_poll(task: str) -> None:
    """Record that the running task looks for due rows. Cheap: at most one record a second is written."""
    _wakeup.record_poll(task)


def consume_wake(task: str) -> bool:
    """Return whether the task was woken since it started or since the last call, and clear that.

    For a task that is running. Of several running ones, only one gets True.
    """
    return _wakeup.consume_wake(task)


def last_polls() -> dict[str, float]:
    """Return, by queue, when a worker last looked for due rows (Unix time). Raises any of BROKER_ERRORS."""
    return _wakeup.last_polls()
