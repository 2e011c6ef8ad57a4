"""Request slots of a web process: scarce resources serve requests being processed, not requests that wait."""

import threading
from collections import Counter, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

# Requests that each process handles at the same time: no more than its connection pool can serve.
SLOTS: Final = 16

_slots = threading.BoundedSemaphore(SLOTS)
_held: ContextVar[bool] = ContextVar("held", default=False)


@contextmanager
def held() -> Iterator[None]:
    """Wait for a slot, and hold it in this block."""
    with _slots:
        before = _held.set(True)
        try:
            yield
        finally:
            _held.reset(before)


@contextmanager
def released() -> Iterator[None]:
    """Release the request's slot in this block, in which the request waits for something else."""
    if not _held.get():  # a command, or a test
        yield
        return
    _slots.release()
    try:
        yield
    finally:
        _slots.acquire()


class WaitedTooLongError(Exception):
    """A request waited too long for memory."""


@dataclass
class WeightLimit:
    """A limit on the total weight, in bytes, of what the threads of a process do at once; they enter in turn."""

    limit: int
    seconds: float  # the longest wait
    used: int = 0
    waiting: deque[object] = field(default_factory=deque)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def enter(self, weight: int) -> Iterator[None]:
        """Hold the weight in this block; what exceeds the whole limit enters alone.

        A request that has to wait releases its slot meanwhile. Raises WaitedTooLongError.
        """
        weight = min(weight, self.limit)
        if not self._entered(weight):
            with released():
                self._wait(weight)
        try:
            yield
        finally:
            with self.changed:
                self.used -= weight
                self.changed.notify_all()

    def _entered(self, weight: int) -> bool:
        with self.changed:
            fits = not self.waiting and self.used + weight <= self.limit
            self.used += weight if fits else 0
            return fits

    def _wait(self, weight: int) -> None:
        turn = object()
        with self.changed:
            self.waiting.append(turn)
            try:
                if not self.changed.wait_for(lambda: self._is_next(turn, weight), self.seconds):
                    raise WaitedTooLongError
                self.used += weight
            finally:
                self.waiting.remove(turn)
                self.changed.notify_all()

    def _is_next(self, turn: object, weight: int) -> bool:
        return self.waiting[0] is turn and self.used + weight <= self.limit


@dataclass
class ConcurrencyLimit:
    """A limit on the concurrent requests of each owner: a client address or an account."""

    limit: int
    counts: Counter[Hashable] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def enter(self, owner: Hashable) -> Iterator[bool]:
        """Count one more request of the owner in this block; yield whether it is within the limit."""
        with self.lock:
            self.counts[owner] += 1
            allowed = self.counts[owner] <= self.limit
        try:
            yield allowed
        finally:
            with self.lock:
                self.counts[owner] -= 1
                if not self.counts[owner]:
                    del self.counts[owner]
