"""Request slots of a web process: scarce resources serve requests being processed, not requests that wait.

A slot is held for an owner: the client address, until the account of the request is known, and then the account. Free
slots go to the owner that holds the fewest, so that an owner with many requests delays mostly its own.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import structlog

from base import sql

log = structlog.get_logger()

# Requests that each process handles at the same time: no more than its connection pool can serve.
SLOTS: Final = 16
# Of these, of one owner: however long its requests take, some are left for the others.
SLOTS_EACH: Final = 12
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
            if self._took(owner):
                return
            turn = threading.Lock()
            turn.acquire()
            queue = self.waiting.setdefault(owner, deque())
            (queue.appendleft if first else queue.append)(turn)
        _return_connection()  # those that hold slots need it
        turn.acquire()  # `release` has taken the slot for this request

    def acquired_at_once(self, owner: Hashable) -> bool:
        """Take a slot of the owner if one is free for it; return whether one was."""
        with self.lock:
            return self._took(owner)

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

    def _took(self, owner: Hashable) -> bool:
        # Whoever may take a free slot has done so: nobody that waits is overtaken.
        free = self.free > 0 and self.held[owner] < self.each
        if free:
            self._take(owner)
        return free

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


_slots = FairSlots(SLOTS, SLOTS_EACH)
_costly = FairSlots(COSTLY_SLOTS, COSTLY_SLOTS_EACH)

# Slots with the owner for whom they are held, in the order in which they are acquired: never one while holding a later
# one, so that no two requests wait for each other.
Held: TypeAlias = tuple[tuple[FairSlots, Hashable], ...]
_held: ContextVar[Held] = ContextVar("held", default=())


@contextmanager
def held(client: str) -> Iterator[None]:
    """Wait for a slot, and hold it for the client address in this block."""
    try:
        acquire(((_slots, client),))
        yield
    finally:
        release()


@contextmanager
def held_for_account(account: int, *, costly: bool) -> Iterator[None]:
    """Exchange the request's slot for one of its account in this block, with a costly one if the request is costly.

    The request ends without a slot: an answer that exists waits for nobody.
    """
    if not _held.get():  # a command, or a test
        yield
        return
    release()
    slots: Held = ((_slots, account),)
    try:
        acquire(((_costly, account), *slots) if costly else slots)
        yield
    finally:
        _return_connection()
        release()


@contextmanager
def released() -> Iterator[None]:
    """Release the request's slots in this block, in which the request waits for something else."""
    holding = release()
    try:
        yield
    finally:
        acquire(holding, first=True)  # what has begun ends before anything else begins


def acquire(wanted: Held, *, first: bool = False) -> None:
    """Wait for these slots, before other requests of their owners if `first`, and hold them for the request."""
    for slots, owner in wanted:
        slots.acquire(owner, first=first)
        _held.set((*_held.get(), (slots, owner)))


def acquired_at_once(wanted: Held) -> bool:
    """Hold these slots for the request if all of them are free for it; return whether they are."""
    for slots, owner in wanted:
        if not slots.acquired_at_once(owner):
            release()
            return False
        _held.set((*_held.get(), (slots, owner)))
    return True


def release() -> Held:
    """Release the request's slots, if it holds any, and return them."""
    holding = _held.get()
    _held.set(())
    for slots, owner in reversed(holding):
        slots.release(owner)
    return holding


def _return_connection() -> None:
    """Return the connection to the pool. Never raises: a slot could be lost, or an answer."""
    try:
        sql.release_connection()
    except Exception:
        log.exception("a database connection could not be returned")


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

        A request that has to wait releases its slot, and holds no weight while it waits for a slot. Raises
        WaitedTooLongError.
        """
        weight = min(weight, self.limit)
        if not self._entered(weight):
            self._enter_in_turn(weight)
        try:
            yield
        finally:
            self._leave(weight)

    def _entered(self, weight: int, *, first: bool = False) -> bool:
        with self.changed:
            fits = (first or not self.waiting) and self.used + weight <= self.limit
            self.used += weight if fits else 0
            return fits

    def _leave(self, weight: int) -> None:
        with self.changed:
            self.used -= weight
            self.changed.notify_all()

    def _enter_in_turn(self, weight: int) -> None:
        deadline, holding = time.monotonic() + self.seconds, release()
        try:
            self._wait(weight, deadline)
            while not acquired_at_once(holding):
                self._leave(weight)
                acquire(holding, first=True)
                if self._entered(weight, first=True):
                    return
                release()
                self._wait(weight, deadline, first=True)
        except WaitedTooLongError:
            acquire(holding, first=True)
            raise

    def _wait(self, weight: int, deadline: float, *, first: bool = False) -> None:
        turn = object()
        with self.changed:
            (self.waiting.appendleft if first else self.waiting.append)(turn)
            try:
                if not self.changed.wait_for(lambda: self._is_next(turn, weight), deadline - time.monotonic()):
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
