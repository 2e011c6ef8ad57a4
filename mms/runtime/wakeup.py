"""The doorbell: tells the workers that something is due. Rings may be lost, doubled or late; the rows are the truth.

Nobody rings while anything waits in the queue: no worker is free then, and those at work look for what is due anyway.
So however many rings come, beat's among them, however long all are busy, at most one of them waits there, beside the
one for each of its children that a worker has fetched ahead.
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
# How long a ring is believed to be on its way to a worker, in milliseconds; the sweep rings again after a lost one.
RUNG = 2_000
LOOKED_EVERY = 1.0  # seconds between two notes that one who is at work looks for what is due
# Seconds without a try after the broker was out of reach: the caller must not pay for it on each request.
PAUSE = 1.0
OUT_OF_REACH = (redis.RedisError, KombuError, OSError)


def connection() -> redis.Redis:
    """A connection to the broker that gives up soon: nothing that it is asked for is worth waiting for."""
    # Without retry: the client's own would make a caller wait 4 seconds for a broker that is down.
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5, retry=None)


@dataclass
class _Doorbell:
    """The connection to the broker, until when it is left alone, and when this process last noted its look at what."""

    broker: redis.Redis = field(default_factory=connection)
    silent_until: float = 0.0
    looked: dict[str, float] = field(default_factory=dict)

    def ring(self, task: str) -> None:
        self._unless_silent(task, self._ring)

    def _ring(self, task: str) -> None:
        with self.broker.pipeline(transaction=False) as all_of_them:
            all_of_them.set(f"woken:{task}", 1, px=RUNG)
            all_of_them.set(f"rung:{task}", 1, nx=True, px=RUNG)
            all_of_them.llen(QUEUES[task])
            _, first, waiting = all_of_them.execute()
        if first and not waiting:
            current_app.send_task(task, queue=QUEUES[task], retry=False)

    def woken(self, task: str) -> bool:
        return bool(self._unless_silent(task, lambda task: self.broker.delete(f"woken:{task}")))

    def answer(self, task: str) -> None:
        self._unless_silent(task, self._answer)

    def _answer(self, task: str) -> None:
        self.broker.delete(f"rung:{task}", f"woken:{task}")
        self._note(task)

    def look(self, task: str) -> None:
        if time.monotonic() - self.looked.get(task, -LOOKED_EVERY) >= LOOKED_EVERY:
            self._unless_silent(task, self._note)

    def _note(self, task: str) -> None:
        self.looked[task] = time.monotonic()
        self.broker.set(f"answered:{task}", time.time())

    def _unless_silent(self, task: str, ask: Callable[[str], object]) -> object:
        """What the broker says; None while it is out of reach: then it is left alone for a while."""
        if time.monotonic() < self.silent_until:
            return None
        try:
            return ask(task)
        except OUT_OF_REACH as problem:
            self.silent_until = time.monotonic() + PAUSE
            log.warning("the doorbell is out of reach", task=task, problem=str(problem))
            return None

    def last_answers(self) -> dict[str, float]:
        moments = self.broker.mget([f"answered:{task}" for task in QUEUES])
        return {queue: float(at) for queue, at in zip(QUEUES.values(), moments, strict=True) if at}


_doorbell = _Doorbell()


def ring(task: str) -> None:
    """Rings for the task, unless something is in its queue already. Never raises: the sweep finds what is due."""
    _doorbell.ring(task)


def answered(task: str) -> None:
    """The task has begun: whatever becomes due from now on needs a new ring."""
    _doorbell.answer(task)


def looked(task: str) -> None:
    """The task, which may have begun long ago, looks for what is due. Cheap: it is noted once a second."""
    _doorbell.look(task)


def woken(task: str) -> bool:
    """Whether it was rung since the task last began or last asked this: for one that is at work as it rings.

    Of several that are at work, one is told.
    """
    return _doorbell.woken(task)


def last_answers() -> dict[str, float]:
    """Queue -> when one of its workers last looked for what is due (Unix time), as far as the broker knows.

    Raises what OUT_OF_REACH names.
    """
    return _doorbell.last_answers()
