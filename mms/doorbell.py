"""The doorbell: tells the workers that something is due. Rings may be lost, doubled or late; the rows are the truth.

However many rings come, at most one task of each kind waits in its queue.
"""

import time
from dataclasses import dataclass, field
from typing import Final

import redis
import structlog
from django.conf import settings
from kombu.exceptions import KombuError

from config.celery import app

log = structlog.get_logger()

WORK: Final = "mms.work"
NOTIFY: Final = "mms.notify"
ENCODE: Final = "mms.encode"
QUEUES: Final = {WORK: "flow", NOTIFY: "postbacks", ENCODE: "media"}
# How long a ring is believed to be still in the queue, in milliseconds; the sweep rings again after a lost one.
RUNG = 2_000
# Seconds without a try after the broker was out of reach: the caller must not pay for it on each request.
PAUSE = 1.0
OUT_OF_REACH = (redis.RedisError, KombuError, OSError)


def connection() -> redis.Redis:
    """A connection to the broker that gives up soon: nothing that it is asked for is worth waiting for."""
    # Without retry: the client's own would make a caller wait 4 seconds for a broker that is down.
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5, retry=None)


@dataclass
class _Doorbell:
    """The connection to the broker, and until when it is left alone."""

    broker: redis.Redis = field(default_factory=connection)
    silent_until: float = 0.0

    def ring(self, task: str) -> None:
        if time.monotonic() < self.silent_until:
            return
        try:
            if self._rings_first(task):
                app.send_task(task, queue=QUEUES[task], retry=False, expires=60)
        except OUT_OF_REACH as problem:
            self.silent_until = time.monotonic() + PAUSE
            log.warning("the doorbell does not ring", task=task, problem=str(problem))

    def _rings_first(self, task: str) -> bool:
        with self.broker.pipeline(transaction=False) as both:
            both.set(f"woken:{task}", 1, px=RUNG)
            both.set(f"rung:{task}", 1, nx=True, px=RUNG)
            return bool(both.execute()[1])

    def woken(self, task: str) -> bool:
        if time.monotonic() < self.silent_until:
            return False
        try:
            return bool(self.broker.delete(f"woken:{task}"))
        except OUT_OF_REACH as problem:
            self.silent_until = time.monotonic() + PAUSE
            log.warning("the doorbell is out of reach", task=task, problem=str(problem))
            return False

    def answer(self, task: str) -> None:
        try:
            with self.broker.pipeline(transaction=False) as both:
                both.delete(f"rung:{task}", f"woken:{task}")
                both.set(f"answered:{task}", time.time())
                both.execute()
        except OUT_OF_REACH as problem:
            log.warning("the doorbell is out of reach", task=task, problem=str(problem))

    def last_answers(self) -> dict[str, float]:
        moments = self.broker.mget([f"answered:{task}" for task in QUEUES])
        return {queue: float(at) for queue, at in zip(QUEUES.values(), moments, strict=True) if at}


_doorbell = _Doorbell()


def ring(task: str) -> None:
    """Rings for the task, unless a ring is in the queue already. Never raises: the sweep finds what is due."""
    _doorbell.ring(task)


def answered(task: str) -> None:
    """The task has begun: whatever becomes due from now on needs a new ring."""
    _doorbell.answer(task)


def woken(task: str) -> bool:
    """Whether it was rung since the task last began or last asked this: for one that is at work as it rings.

    Of several that are at work, one is told.
    """
    return _doorbell.woken(task)


def last_answers() -> dict[str, float]:
    """Queue -> when one of its workers last began to look for what is due (Unix time), as far as the broker knows.

    Raises what OUT_OF_REACH names.
    """
    return _doorbell.last_answers()
