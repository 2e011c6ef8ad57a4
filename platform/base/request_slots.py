"""Request slots of a web process: scarce resources serve requests being processed, not requests that wait."""

import threading
from collections import Counter
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
