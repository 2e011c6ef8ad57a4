"""Request slots of a web process: what is scarce serves requests that are being processed, not those that wait."""

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

# Requests that Django processes at once, in each process: no more than its pool of connections can serve.
SLOTS: Final = 16

_slots = threading.BoundedSemaphore(SLOTS)
_held: ContextVar[bool] = ContextVar("held", default=False)


@contextmanager
def held() -> Iterator[None]:
    """Hold a slot in this block; wait for one first."""
    with _slots:
        before = _held.set(True)
        try:
            yield
        finally:
            _held.reset(before)


@contextmanager
def released() -> Iterator[None]:
    """Release the request's slot in this block, in which it waits for something else."""
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
    """Counts the requests of each client, or of each account, that do the same at once; `limit` are allowed."""

    limit: int
    counts: Counter[Hashable] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def enter(self, owner: Hashable) -> Iterator[bool]:
        """Count one more of the owner's in this block; yield whether that is within the limit."""
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
