"""Drives what is due: claims, adapts, submits to MMSCs with many requests in flight, and brings the answers home."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import structlog
from django.db import connection
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from base import shutdown
from handsets import cache
from mms.adaptation.plan import CannotFit
from mms.adaptation.texts import crlf
from mms.messages import gateway, leases, sweeper, transitions
from mms.messages.leases import Landing
from mms.messages.transitions import Adapted
from mms.models import Attempt, Discovery, Message
from mms.protocol.submit import Part, SubmitResult
from mms.rendering.compose import Composer
from mms.rendering.renditions import StorageFailed
from mms.runtime import wakeup
from mms.runtime.db_retry import DATABASE_GONE, store
from mms.runtime.http_client import NoReply, Reply, Request
from mms.runtime.in_flight import Flight
from mms.runtime.time_slice import Shift

log = structlog.get_logger()

IN_FLIGHT = 320  # submits at once, a process
PER_CARRIER = 64  # of one carrier, so that one that hangs leaves room for the others; a claim may add as many again
CLAIM = 64  # rows of one carrier at a time, and the room that a claim waits for: a batch costs little more than a row
GROUP = 32  # messages prepared before they are launched
WAKE_EVERY = 1.0  # seconds between two looks at deadlines and leases
LAND = 0.05  # seconds to wait for an answer
CLAIM_EVERY = 0.1  # seconds between two claims while something is in flight: what comes meanwhile goes together
GATHER = 0.1  # seconds that an answer waits for others, to be stored with them

Sent = TypeVar("Sent", Message, Discovery)
Clock = Callable[[], datetime]


@dataclass(frozen=True, eq=False, slots=True)
class Submit:
    """One request in flight."""

    sent: Message | Discovery
    attempt: Attempt


def run(clock: Clock = timezone.now) -> None:
    """Works until nothing is due and nothing in flight, or its shift is over, and then ends what it has.

    Asked to stop, it takes on no more.
    """
    # An MMSC may take its time with all its answers, and they are stored together all the same.
    with Flight[Submit](IN_FLIGHT, slow=math.inf) as flight:
        try:
            _work(flight, clock)
        except DATABASE_GONE as problem:
            log.warning("the database is gone", problem=str(problem).strip(), in_flight=len(flight.keys))
            connection.close()
        finally:
            # What is in flight has no second chance to be heard: it lands before the task ends.
            while flight.keys:
                _bring_home(flight, LAND, clock)


def _work(flight: Flight[Submit], clock: Clock) -> None:
    shift = Shift(flight, clock, lambda submit: submit.sent.carrier_id)
    woken = looked = -WAKE_EVERY
    while not shutdown.asked() and not shift.over():
        if time.monotonic() - woken >= WAKE_EVERY:
            wakeup.looked(wakeup.WORK)
            sweeper.wake(clock())
            woken = time.monotonic()
        claimed = None
        if not flight.keys or time.monotonic() - looked >= CLAIM_EVERY:
            looked = time.monotonic()
            claimed = _launch_messages(shift, clock) + _launch_discoveries(shift, clock)
        _bring_home(flight, LAND, clock, GATHER)
        if claimed == 0 and not flight.keys:
            return
    wakeup.ring(wakeup.WORK)  # what is left is for the next


def _busy(shift: Shift[Submit]) -> list[int]:
    """The carriers that have as many requests in flight as they may, and those that get no more in this shift."""
    counts = Counter(submit.sent.carrier_id for submit in shift.flight.keys)
    return [carrier for carrier, count in counts.items() if count >= PER_CARRIER] + [*shift.served_no_longer]


def _launch_discoveries(shift: Shift[Submit], clock: Clock) -> int:
    flight = shift.flight
    if flight.room < CLAIM or shutdown.asked():
        return 0
    now = clock()
    claimed = transitions.claim_discoveries(now, CLAIM, _busy(shift), flight.room)
    requests = {found: request for found in claimed if (request := _prepared_ddm(found, now))}
    sizes = [(found, len(request.body)) for found, request in requests.items()]
    for found, attempt in leases.start(sizes, clock()):
        flight.launch(Submit(found, attempt), requests[found])
    return len(claimed)


def _prepared_ddm(found: Discovery, now: datetime) -> Request | None:
    try:
        return gateway.http_request(found.carrier, gateway.submit_request(found, _ddm(found), now))
    except Exception:
        log.exception("a DDM could not be prepared", discovery=found.pk)
        transitions.ddm_unprepared(found, now)
        return None


def _ddm(found: Discovery) -> tuple[Part, ...]:
    return (Part("text", "text.txt", "text/plain", crlf(found.text).encode(), "utf-8"),)


def _launch_messages(shift: Shift[Submit], clock: Clock) -> int:
    flight, claimed, alone = shift.flight, 0, True
    # Those over which a worker was lost come one a claim: they shall not wait CLAIM_EVERY for each other.
    while alone and flight.room >= CLAIM and not shutdown.asked():
        ready, taken = transitions.claim(clock(), CLAIM, _busy(shift), flight.room)
        claimed, alone = claimed + taken, any(message.losses for message in ready)
        _launch_claimed(ready, flight, clock)
    return claimed


def _launch_claimed(ready: Sequence[Message], flight: Flight[Submit], clock: Clock) -> None:
    composer, stored = Composer(ready), time.monotonic()
    while ready and not shutdown.asked():
        leases.renew(ready, clock())
        group, ready = ready[:GROUP], ready[GROUP:]
        _launch_adapted(flight, adapted(group, composer, clock), clock)
        if time.monotonic() - stored >= GATHER:  # pictures had to be made
            _bring_home(flight, 0, clock)
            stored = time.monotonic()
    leases.give_back(ready, clock())


def adapted(group: Sequence[Message], composer: Composer, clock: Clock) -> list[tuple[Adapted, Request]]:
    """The messages as adapted to their handsets, with the requests that submit them; without those that cannot go."""
    now = clock()
    known = cache.known({message.number for message in group}, now)
    for message in group:
        message.handset = known.get(message.number)
    return [ready for message in group if (ready := _prepared(message, composer, now))]


def _prepared(message: Message, composer: Composer, now: datetime) -> tuple[Adapted, Request] | None:
    with bound_contextvars(tracking_id=message.tracking_id):
        try:
            return _composed(message, composer, now)
        except DATABASE_GONE:
            raise
        except StorageFailed as problem:
            log.warning("a message waits for the storage", problem=str(problem))
            transitions.put_off(message, f"the storage failed: {problem}"[:300], now)
            return None
        except Exception as problem:
            log.exception("a message could not be prepared")
            transitions.unprepared(message, f"{type(problem).__name__}: {problem}"[:300], now)
            return None


def _composed(message: Message, composer: Composer, now: datetime) -> tuple[Adapted, Request] | None:
    result = composer.compose(message)
    if isinstance(result, CannotFit):
        transitions.cannot_fit(message, result, now)
        return None
    request = gateway.http_request(message.carrier, gateway.submit_request(message, result.parts, now))
    return Adapted(message, result, len(request.body)), request


def _launch_adapted(flight: Flight[Submit], ready: Sequence[tuple[Adapted, Request]], clock: Clock) -> None:
    """Writes the attempts, then lets the requests go."""
    requests = {adapted.message.pk: request for adapted, request in ready}
    for message, attempt in transitions.adapted([adapted for adapted, _ in ready], clock()):
        flight.launch(Submit(message, attempt), requests[message.pk])


def _bring_home(flight: Flight[Submit], wait: float, clock: Clock, gather: float = 0.0) -> None:
    landed = flight.landed(wait, gather)
    _settle(landed, Discovery, transitions.discoveries_submitted, clock)
    _settle(landed, Message, transitions.submitted, clock)
    if landed:
        wakeup.ring(wakeup.NOTIFY)


def _settle(
    landed: Sequence[tuple[Submit, Reply | NoReply]],
    model: type[Sent],
    step: Callable[[Sequence[Landing[Sent]], datetime], None],
    clock: Clock,
) -> None:
    landings = [
        Landing(submit.sent, submit.attempt, gateway.submit_result(submit.sent.carrier, result))
        for submit, result in landed
        if isinstance(submit.sent, model)
    ]
    if landings:
        store(landings, lambda some: step(some, clock()))
    for landing in landings:
        _log(landing.sent, landing.answer)


def _log(sent: Message | Discovery, answer: SubmitResult) -> None:
    what = {"tracking_id": sent.tracking_id} if isinstance(sent, Message) else {"discovery": sent.pk}
    said = {"outcome": answer.outcome, "code": answer.code}
    log.info("submit", carrier=sent.carrier.slug, attempt=sent.tries, **said, **what)
