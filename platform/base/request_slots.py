"""Request slots of a web process: scarce resources serve requests being processed, not requests that wait.

A slot is held for an owner: the client address, until the account of the request is known, and then the account. Free
slots go to the owner that holds the fewest, so that an owner with many requests delays mostly its own.
"""

import threading
from collections import Counter, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from base import sql

# Requests that each process handles at the same time: no more than its connection pool can serve.
SLOTS: Final = 16
# Of these, requests that cost more than an accept: in all, and of one account. While such a request computes, each
# statement of an accept waits for the interpreter.
COSTLY_SLOTS: Final = 2
COSTLY_SLOTS_EACH: Final = 1


@dataclass
class FairSlots:
    """Slots that go to the waiting owner with the fewest, at most `each` to one owner; among equals, in turn."""

    free: int
    each: int
    held: Counter[Hashable] = field(default_factory=Counter)
    waiting: dict[Hashable, deque[threading.Lock]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, owner: Hashable, *, first: bool = False) -> None:
        """Wait for a slot of the owner, before its other requests if `first`."""
        with self.lock:
            # Whoever may take a free slot has done so: nobody that waits is overtaken.
            if self.free and self.held[owner] < self.each:
                self._take(owner)
                return
            turn = threading.Lock()
            turn.acquire()
            queue = self.waiting.setdefault(owner, deque())
            (queue.appendleft if first else queue.append)(turn)
        sql.release_connection()  # those that hold slots need it
        turn.acquire()  # `release` has taken the slot for this request

    def release(self, owner: Hashable) -> None:
        """Release a slot of the owner, and hand it to the next one."""
        with self.lock:
            self.free += 1
            self.held[owner] -= 1
            admissible = (other for other in self.waiting if self.held[other] < self.each)
            following = min(admissible, key=self.held.__getitem__, default=None)
            if following is not None:
                self._admit(following)
            if not self.held[owner]:
                del self.held[owner]

    def _admit(self, owner: Hashable) -> None:
        """Give the owner a slot; its other requests wait behind those of other owners."""
        queue = self.waiting.pop(owner)
        queue.popleft().release()
        if queue:
            self.waiting[owner] = queue
        self._take(owner)

    def _take(self, owner: Hashable) -> None:
        self.free -= 1
        self.held[owner] += 1


_slots = FairSlots(SLOTS, SLOTS)
_costly = FairSlots(COSTLY_SLOTS, COSTLY_SLOTS_EACH)

# Slots with the owner for whom they are held, in the order in which they are acquired: never one while holding a later
# one, so that no two requests wait for each other.
_Held = tuple[tuple[FairSlots, Hashable], ...]
_held: ContextVar[_Held] = ContextVar("held", default=())


@contextmanager
def held(client: str) -> Iterator[None]:
    """Wait for a slot, and hold it for the client address in this block."""
    with _holding(((_slots, client),)):
        yield


@contextmanager
def held_for_account(account: int, *, costly: bool) -> Iterator[None]:
    """Exchange the request's slot for one of its account in this block, with a costly one if the request is costly."""
    if not _held.get():  # a command, or a test
        yield
        return
    slots: _Held = ((_slots, account),)
    with released(), _holding(((_costly, account), *slots) if costly else slots):
        yield


@contextmanager
def released() -> Iterator[None]:
    """Release the request's slots in this block, in which the request waits for something else."""
    holding = _held.get()
    for slots, owner in reversed(holding):
        slots.release(owner)
    token = _held.set(())
    try:
        yield
    finally:
        _held.reset(token)
        for slots, owner in holding:
            slots.acquire(owner, first=True)  # what has begun ends before anything else begins


@contextmanager
def _holding(wanted: _Held) -> Iterator[None]:
    for slots, owner in wanted:
        slots.acquire(owner)
    token = _held.set(wanted)
    try:
        yield
    finally:
        _held.reset(token)
        for slots, owner in reversed(wanted):
            slots.release(owner)


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
