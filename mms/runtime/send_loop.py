"""The send loop: claim due rows, launch their requests, settle the replies, with many requests in flight.

MM7 submits and postbacks run on it, each as sources of one loop. A Celery task runs the loop until nothing is due and
nothing is in flight, or until its time slice ends; then it stops claiming and drains its in-flight requests.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

import structlog
from django.db import connection
from django.utils import timezone

from base import shutdown
from mms.runtime import wakeup
from mms.runtime.db_retry import DATABASE_GONE, store
from mms.runtime.http_client import NoReply, Reply, Request
from mms.runtime.in_flight import InFlight
from mms.runtime.time_slice import TimeSlice

log = structlog.get_logger()

SWEEP_EVERY: Final = 1.0  # seconds between two sweeps: no deadline needs to be met more precisely

Clock: TypeAlias = Callable[[], datetime]
Row = TypeVar("Row")  # what a claim returns
Item = TypeVar("Item", bound=Hashable)  # what is in flight
Replies: TypeAlias = Sequence[tuple[Item, Reply | NoReply]]
Launches: TypeAlias = Sequence[tuple[Item, Request]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The knobs of one send loop. Times are in seconds."""

    in_flight: int  # requests at once in this process; each holds a socket
    per_destination: int  # of these to one carrier or account, so that one that hangs leaves room for the others
    claim: int  # rows of one destination a claim; a batch costs little more than a row
    claim_room: int = 1  # free places that a claim waits for
    destination_share: float = 1.0  # of the free places, to one destination: the fewer are left, the fewer it gets
    claim_share: float = 1.0  # of the free places, to one claim
    claim_every: float  # between two claims while replies are expected: rows that fall due in between go together
    reply_wait: float  # for the first reply, before the loop looks at the clock and the wake-up again
    gather: float  # for further replies after the first, to be settled in one transaction
    slow: float  # a destination whose last reply took longer is not gathered for


@dataclass(frozen=True, slots=True)
class Room:
    """What a claim may take: rows of one destination, rows in all, and no rows of the `busy` destinations."""

    per_destination: int
    total: int
    busy: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Claim(Generic[Row]):
    """The claimed rows that need a request now; `due` counts those that needed none, too.

    With `again`, more may be due that had to wait for this claim, and the loop claims at once.
    """

    rows: Sequence[Row]
    due: int
    again: bool = False


class Source(Protocol[Row, Item]):
    """What a send loop sends. Each method runs in the thread of the loop, and none of them makes a request."""

    def claim(self, now: datetime, room: Room) -> Claim[Row]:
        """Claim due rows under a lease."""

    def prepare(self, rows: Sequence[Row], clock: Clock) -> Iterable[Launches[Item]]:
        """Yield groups of items with their requests; the attempts of a group are committed when it is yielded."""

    def settle(self, replies: Replies[Item], now: datetime) -> None:
        """Record the replies in one transaction. It may be repeated after the database restarted."""

    def destination(self, item: Item) -> int:
        """Return the key of the carrier or account to which the request goes."""


@dataclass(frozen=True, slots=True)
class _Launched:
    """A request in flight: the source that launched it, and the source's item."""

    source: Source[Any, Any]
    item: Hashable

    @property
    def destination(self) -> int:
        return self.source.destination(self.item)


@dataclass
class SendLoop:
    """Runs sources, which share the limits and the fairness between destinations, for the task of this name.

    `sweep` is called about once a second.
    """

    task: str
    sources: Sequence[Source[Any, Any]]
    limits: Limits
    clock: Clock = timezone.now
    sweep: Callable[[datetime], None] | None = None
    in_flight: InFlight[_Launched] = field(init=False)
    time_slice: TimeSlice[_Launched] = field(init=False)
    _swept_at: float = field(init=False, default=-math.inf)
    _claimed_at: float = field(init=False, default=-math.inf)
    _more: bool = field(init=False, default=True)  # whether the last claim found something

    def __post_init__(self) -> None:
        self.in_flight = InFlight[_Launched](self.limits.in_flight, self.limits.slow)
        self.time_slice = TimeSlice(self.in_flight, self.clock, lambda launched: launched.destination)

    def run(self) -> None:
        """Work until nothing is due and nothing is in flight, or the time slice or the worker ends.

        Requests in flight are drained in any case: their replies cannot be asked for again.
        """
        with self.in_flight:
            try:
                self._work()
            except DATABASE_GONE as problem:
                text = str(problem).strip()
                log.warning("the database is gone", problem=text, in_flight=len(self.in_flight.keys))
                connection.close()
            finally:
                while self.in_flight.keys:
                    self.settle(self.limits.reply_wait)

    def _work(self) -> None:
        while not shutdown.asked() and not self.time_slice.over():
            self._sweep_if_due()
            if self._time_to_claim() and not self.claim() and not self.in_flight.keys:
                return
            self.settle(self.limits.reply_wait, self.limits.gather)
        wakeup.ring(self.task)  # the next task goes on with what is left

    def _sweep_if_due(self) -> None:
        if self.sweep and time.monotonic() - self._swept_at >= SWEEP_EVERY:
            self.sweep(self.clock())
            self._swept_at = time.monotonic()

    def _time_to_claim(self) -> bool:
        """Whether to look for due rows now. Requests to destinations that hang keep nobody else from being served."""
        if not self.in_flight.keys or time.monotonic() - self._claimed_at >= self.limits.claim_every:
            return True
        return not self.in_flight.expected and (self._more or wakeup.woken(self.task))

    def claim(self) -> int:
        """Claim from every source and launch the requests. Return how many rows were due."""
        self._claimed_at = time.monotonic()
        wakeup.looked(self.task)
        due = sum(map(self._claim_from, self.sources))
        self._more = due > 0
        return due

    def _claim_from(self, source: Source[Any, Any]) -> int:
        due, again = 0, True
        while again and self.in_flight.room >= self.limits.claim_room and not shutdown.asked():
            claim = source.claim(self.clock(), self._room())
            self._launch(source, claim.rows)
            due, again = due + claim.due, claim.again
        return due

    def _room(self) -> Room:
        limits, free = self.limits, self.in_flight.room
        share = min(limits.per_destination, math.ceil(free * limits.destination_share))
        claim = min(limits.claim, share)
        counts = Counter(launched.destination for launched in self.in_flight.keys)
        busy = [destination for destination, count in counts.items() if count > share - claim]
        return Room(claim, math.ceil(free * limits.claim_share), [*busy, *self.time_slice.excluded])

    def _launch(self, source: Source[Any, Any], rows: Sequence[Any]) -> None:
        settled_at = time.monotonic()
        for group in source.prepare(rows, self.clock) if rows else ():
            for item, request in group:
                self.in_flight.launch(_Launched(source, item), request)
            if time.monotonic() - settled_at >= self.limits.gather:  # preparing took long: replies may wait
                self.settle(0)
                settled_at = time.monotonic()

    def settle(self, wait: float, gather: float = 0.0) -> None:
        """Settle the replies that arrive within `wait` seconds, and within `gather` more after the first."""
        completed = self.in_flight.completed(wait, gather)
        for source in self.sources:
            replies = [(launched.item, reply) for launched, reply in completed if launched.source is source]
            if replies:
                store(replies, lambda some, source=source: source.settle(some, self.clock()))  # type: ignore[misc]
