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

from base import shutdown, sql
from mms.runtime import wakeup
from mms.runtime.db_retry import DATABASE_GONE
from mms.runtime.held_replies import HeldReplies
from mms.runtime.http_client import NoReply, Purpose, Reply, Request
from mms.runtime.in_flight import InFlight
from mms.runtime.time_slice import TimeSlice

log = structlog.get_logger()

# Seconds after a reply in which a destination gets as many requests as there is room for: at least these, or twice what
# the reply took. A slow server has not stopped answering.
TRUST: Final = 3.0
SWEEP_EVERY: Final = 1.0  # seconds between two sweeps: no deadline needs more precision

# Time of the last reply and the seconds that it took, by task and destination. They outlive the loop: the replies of a
# slow server may arrive when the time slice is over.
_replied: dict[tuple[str, int], tuple[float, float]] = {}

Clock: TypeAlias = Callable[[], datetime]
Row = TypeVar("Row")  # a claimed row
Item = TypeVar("Item", bound=Hashable)  # the key of a request in flight
Replies: TypeAlias = Sequence[tuple[Item, Reply | NoReply]]
Launches: TypeAlias = Sequence[tuple[Item, Request]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits and pauses of one send loop. Times are in seconds."""

    in_flight: int  # concurrent requests of this process; each holds a socket
    per_destination: int  # of these to one carrier or account, so that a hanging server leaves room for the others
    claim: int  # rows of one destination per claim; a batch costs little more than a row
    claim_room: int = 1  # minimum number of free places for a claim
    destination_share: float = 1.0  # of the free places, for one destination: it gets fewer as fewer are left
    claim_share: float = 1.0  # of the free places, for one claim
    # Rows of a destination that has not replied lately (TRUST), per claim. With so many in flight it is not
    # claimed for before it replies: a server that hangs holds few places, or those that it had when it began to hang.
    trial: int | None = None  # None: no such limit
    claim_every: float  # between two claims while replies are expected: rows due in between share a claim
    reply_wait: float  # for the first reply, before the loop checks the clock and the wake-up again
    gather: float  # for further replies after the first, to be settled in one transaction
    slow: float  # replies that take longer than this, now or the last time, are not gathered


@dataclass(frozen=True, slots=True)
class Room:
    """The limits of a claim: rows of one destination, rows in all, and no rows of the `busy` destinations.

    At most `trial` rows of a destination that is not `trusted`, unless that is None: then all are.
    """

    per_destination: int
    total: int
    busy: Sequence[int] = ()
    trusted: Sequence[int] | None = None
    trial: int = 0


@dataclass(frozen=True, slots=True)
class Claim(Generic[Row]):
    """The claimed rows that need a request now; `due` also counts those that needed none.

    With `again`, more rows may be due that had to wait for this claim, and the loop claims again at once.
    """

    rows: Sequence[Row]
    due: int
    again: bool = False


class Source(Protocol[Row, Item]):
    """A kind of request that a send loop sends. Its methods run in the loop's thread, and none makes a request."""

    def claim(self, now: datetime, room: Room) -> Claim[Row]:
        """Claim due rows under a lease."""

    def prepare(self, rows: Sequence[Row], clock: Clock) -> Iterable[Launches[Item]]:
        """Yield groups of items with their requests; the attempts of a group are committed when it is yielded."""

    def release(self, rows: Sequence[Row], now: datetime) -> None:
        """Release claimed rows for which no request can be launched."""

    def settle(self, replies: Replies[Item], now: datetime) -> None:
        """Record the replies in one transaction. It may be repeated after a database restart."""

    def destination(self, item: Item) -> int:
        """Return the key of the carrier or account to which the request goes."""

    def account(self, item: Item) -> int:
        """Return the key of the account whose rows settling the reply needs."""


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
    """The send loop of a task: its sources share the limits and the fair distribution over destinations.

    `sweep` is called about once a second.
    """

    task: str
    purpose: Purpose
    sources: Sequence[Source[Any, Any]]
    limits: Limits
    clock: Clock = timezone.now
    sweep: Callable[[datetime], None] | None = None
    in_flight: InFlight[_Launched] = field(init=False)
    time_slice: TimeSlice[_Launched] = field(init=False)
    _held: HeldReplies = field(init=False, default_factory=HeldReplies)
    _swept_at: float = field(init=False, default=-math.inf)
    _claimed_at: float = field(init=False, default=-math.inf)
    _found_due: bool = field(init=False, default=True)  # whether the last claim found due rows

    def __post_init__(self) -> None:
        self.in_flight = InFlight[_Launched](self.limits.in_flight, self.purpose, self.limits.slow)
        self.time_slice = TimeSlice(self.in_flight, self.clock, lambda launched: launched.destination)

    def run(self) -> None:
        """Work until nothing is due and nothing is in flight, or the time slice or the worker ends.

        Requests in flight are drained in any case: their replies cannot be requested again.
        """
        with self.in_flight:
            try:
                self._work()
            except DATABASE_GONE as problem:
                self._record_database_loss(problem)
            finally:
                self._drain()

    def _drain(self) -> None:
        while self.in_flight.keys:
            try:
                self.settle(self.limits.reply_wait)
            except DATABASE_GONE as problem:  # the database may be back for the other replies
                self._record_database_loss(problem)
        try:
            self._held.finish()
        except DATABASE_GONE as problem:
            self._record_database_loss(problem)

    def _record_database_loss(self, problem: Exception) -> None:
        event = "database time limit reached" if sql.has_timed_out(problem) else "database connection lost"
        log.warning(event, problem=str(problem).strip(), in_flight=len(self.in_flight.keys))
        connection.close()

    def _work(self) -> None:
        fruitless = 0  # claims in succession that found due rows and launched nothing
        while not shutdown.requested() and not self.time_slice.over():
            self._sweep_if_due()
            if self._time_to_claim() and not self.claim() and not self.in_flight.keys:
                return
            fruitless = 0 if self.in_flight.keys else fruitless + 1
            if fruitless > 1:  # the carriers of what is due take nothing yet
                time.sleep(self.limits.claim_every)
            self.settle(self.limits.reply_wait, self.limits.gather)
        wakeup.wake(self.task)  # a successor continues with the remaining rows

    def _sweep_if_due(self) -> None:
        if self.sweep and time.monotonic() - self._swept_at >= SWEEP_EVERY:
            self.sweep(self.clock())
            self._swept_at = time.monotonic()

    def _time_to_claim(self) -> bool:
        """Whether to look for due rows now. Requests to hanging destinations do not delay the others."""
        if not self.in_flight.keys or time.monotonic() - self._claimed_at >= self.limits.claim_every:
            return True
        return not self.in_flight.expected and (self._found_due or wakeup.consume_wake(self.task))

    def claim(self) -> int:
        """Claim from every source and launch the requests. Return the number of due rows."""
        self._claimed_at = time.monotonic()
        wakeup.record_poll(self.task)
        due = sum(map(self._claim_from, self.sources))
        self._found_due = due > 0
        return due

    def _claim_from(self, source: Source[Any, Any]) -> int:
        due, again = 0, True
        while again and self.in_flight.room >= self.limits.claim_room and not shutdown.requested():
            claim = source.claim(self.clock(), self._room())
            self._launch(source, claim.rows)
            due, again = due + claim.due, claim.again
        return due

    def _room(self) -> Room:
        limits, free = self.limits, self.in_flight.room
        share = min(limits.per_destination, math.ceil(free * limits.destination_share))
        claim, trusted = min(limits.claim, share), self._trusted()
        counts = Counter(launched.destination for launched in self.in_flight.keys)
        most = {key: share - claim if trusted is None or key in trusted else (limits.trial or 1) - 1 for key in counts}
        busy = [destination for destination, count in counts.items() if count > most[destination]]
        total = math.ceil(free * limits.claim_share)
        return Room(claim, total, [*busy, *self.time_slice.excluded], trusted, min(limits.trial or 0, share))

    def _trusted(self) -> list[int] | None:
        """Return the destinations that have replied lately; None if all are trusted."""
        if self.limits.trial is None:
            return None
        now, replies = time.monotonic(), _replied.copy().items()
        return [key for (task, key), (at, took) in replies if task == self.task and now - at < max(TRUST, 2 * took)]

    def _launch(self, source: Source[Any, Any], rows: Sequence[Any]) -> None:
        if not rows:
            return
        try:
            self.in_flight.start()  # before any attempt is written: if this fails, no request can leave
        except OSError:
            source.release(rows, self.clock())
            raise
        settled_at = time.monotonic()
        for group in source.prepare(rows, self.clock):
            for item, request in group:
                self.in_flight.launch(_Launched(source, item), request)
            if time.monotonic() - settled_at >= self.limits.gather:  # preparing took long: replies may have arrived
                self.settle(0)
                settled_at = time.monotonic()

    def settle(self, wait: float, gather: float = 0.0) -> None:
        """Settle the replies that arrive within `wait` seconds, and within `gather` more after the first."""
        completed = self.in_flight.completed(wait, gather)
        self._note_replies(completed)
        lost: Exception | None = None
        for source in self.sources:
            replies = [(launched.item, reply) for launched, reply in completed if launched.source is source]
            try:
                self._settle_from(source, replies)
            except DATABASE_GONE as problem:  # not without the replies of the other sources
                lost = problem
        if lost:
            raise lost
        self._held.retry_if_due()

    def _note_replies(self, completed: Iterable[tuple[_Launched, Reply | NoReply]]) -> None:
        now = time.monotonic()
        for launched, reply in completed:
            if isinstance(reply, Reply) and self.limits.trial is not None:
                _replied[self.task, launched.destination] = now, reply.seconds

    def _settle_from(self, source: Source[Any, Any], replies: Replies[Any]) -> None:
        self._held.write(
            replies,
            lambda some: source.settle(some, self.clock()),
            owner=lambda reply: (id(source), source.account(reply[0])),
        )
