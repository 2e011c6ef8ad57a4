"""Turns in a web process: what is scarce goes to requests that are worked on, not to those that wait for somebody."""

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

# Requests that Django works on at once, in each process: no more than its pool of connections can serve.
AT_WORK: Final = 16

_turns = threading.BoundedSemaphore(AT_WORK)
_taken: ContextVar[bool] = ContextVar("taken", default=False)


@contextmanager
def taken() -> Iterator[None]:
    """In this block the request has its turn; it begins when there is one."""
    with _turns:
        before = _taken.set(True)
        try:
            yield
        finally:
            _taken.reset(before)


@contextmanager
def given_back() -> Iterator[None]:
    """In this block the request waits for somebody else, and another has its turn meanwhile."""
    if not _taken.get():  # a command, or a test
        yield
        return
    _turns.release()
    try:
        yield
    finally:
        _turns.acquire()


@dataclass
class AtOnce:
    """How many requests of each caller, or of each account, are at the same thing; at most `most` may be."""

    most: int
    counts: Counter[Hashable] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def one_of(self, whose: Hashable) -> Iterator[bool]:
        """Whether one more of theirs may be, while it is."""
        with self.lock:
            self.counts[whose] += 1
            admitted = self.counts[whose] <= self.most
        try:
            yield admitted
        finally:
            with self.lock:
                self.counts[whose] -= 1
                if not self.counts[whose]:
                    del self.counts[whose]
