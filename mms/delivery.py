"""Drives what is due: claims, adapts, submits to MMSCs with many requests in flight, and brings the answers home."""

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

from config import stopping
from handsets import cache
from mms import doorbell, flow, overdue, submission
from mms.adaptation import compose
from mms.adaptation.plan import CannotFit
from mms.adaptation.texts import crlf
from mms.mm7 import client
from mms.mm7.answers import Answer
from mms.mm7.submit import Part
from mms.models import Attempt, Discovery, Message
from mms.outbound import Flight, NoReply, Reply, Request
from mms.storing import DATABASE_GONE, store
from mms.submission import Landing

log = structlog.get_logger()

IN_FLIGHT = 128  # submits at once, a process
PER_CARRIER = 64  # of one carrier, so that one that hangs leaves room for the others
CLAIM = 16  # rows of one carrier at a time
GROUP = 4  # messages prepared before they are launched
WAKE_EVERY = 1.0  # seconds between two looks at deadlines and leases
LAND = 0.05  # seconds to wait for an answer

Sent = TypeVar("Sent", Message, Discovery)
Clock = Callable[[], datetime]


@dataclass(frozen=True, eq=False, slots=True)
class Submit:
    """One request in flight."""

    sent: Message | Discovery
    attempt: Attempt


def run(clock: Clock = timezone.now) -> None:
    """Works until nothing is due and nothing in flight. Asked to stop, it takes on no more and ends what it has."""
    with Flight[Submit](IN_FLIGHT) as flight:
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
    woken = -WAKE_EVERY
    while not stopping.asked():
        if time.monotonic() - woken >= WAKE_EVERY:
            overdue.wake(clock())
            woken = time.monotonic()
        claimed = _launch_messages(flight, clock) + _launch_discoveries(flight, clock)
        _bring_home(flight, LAND, clock)
        if not claimed and not flight.keys:
            return


def _busy(flight: Flight[Submit]) -> list[int]:
    """The carriers that have as many requests in flight as they may."""
    counts = Counter(submit.sent.carrier_id for submit in flight.keys)
    return [carrier for carrier, count in counts.items() if count >= PER_CARRIER]


def _launch_discoveries(flight: Flight[Submit], clock: Clock) -> int:
    if flight.room <= 0:
        return 0
    now = clock()
    claimed = flow.claim_discoveries(now, CLAIM, _busy(flight), flight.room)
    prepared = [(found, client.request(found, _ddm(found), now)) for found in claimed]
    _launch(flight, prepared, clock)
    return len(claimed)


def _ddm(found: Discovery) -> tuple[Part, ...]:
    return (Part("text", "text.txt", "text/plain", crlf(found.text).encode(), "utf-8"),)


def _launch_messages(flight: Flight[Submit], clock: Clock) -> int:
    if flight.room <= 0:
        return 0
    ready, claimed = flow.claim(clock(), CLAIM, _busy(flight), flight.room)
    for start in range(0, len(ready), GROUP):
        submission.renew(ready[start:], clock())
        group = ready[start : start + GROUP]
        prepared = [(message, request) for message in group if (request := _prepared(message, clock))]
        _launch(flight, prepared, clock)
        _bring_home(flight, 0, clock)
    return claimed


def _prepared(message: Message, clock: Clock) -> Request | None:
    """The request that submits the message as adapted to its handset, or None where there is none to send."""
    with bound_contextvars(tracking_id=message.tracking_id):
        try:
            return _adapted(message, clock())
        except DATABASE_GONE:
            raise
        except Exception as problem:
            log.exception("a message could not be prepared")
            flow.unprepared(message, f"{type(problem).__name__}: {problem}"[:300], clock())
            return None


def _adapted(message: Message, now: datetime) -> Request | None:
    message.handset = cache.known([message.number], now).get(message.number)
    result = compose.compose(message)
    if isinstance(result, CannotFit):
        flow.cannot_fit(message, result, now)
        return None
    flow.adapted(message, result, now)
    return client.request(message, result.parts, now)


def _launch(flight: Flight[Submit], prepared: Sequence[tuple[Sent, Request]], clock: Clock) -> None:
    """Writes the attempts, then lets the requests go."""
    requests = {sent.pk: request for sent, request in prepared}
    sizes = [(sent, len(request.body)) for sent, request in prepared]
    for sent, attempt in submission.start(sizes, clock()):
        flight.launch(Submit(sent, attempt), requests[sent.pk])


def _bring_home(flight: Flight[Submit], wait: float, clock: Clock) -> None:
    landed = flight.landed(wait)
    _settle(landed, Discovery, flow.discoveries_submitted, clock)
    _settle(landed, Message, flow.submitted, clock)
    if landed:
        doorbell.ring(doorbell.NOTIFY)


def _settle(
    landed: Sequence[tuple[Submit, Reply | NoReply]],
    model: type[Sent],
    step: Callable[[Sequence[Landing[Sent]], datetime], None],
    clock: Clock,
) -> None:
    landings = [
        Landing(submit.sent, submit.attempt, client.answer(submit.sent.carrier, result))
        for submit, result in landed
        if isinstance(submit.sent, model)
    ]
    if landings:
        store(landings, lambda some: step(some, clock()))
    for landing in landings:
        _log(landing.sent, landing.answer)


def _log(sent: Message | Discovery, answer: Answer) -> None:
    what = {"tracking_id": sent.tracking_id} if isinstance(sent, Message) else {"discovery": sent.pk}
    said = {"outcome": answer.outcome, "code": answer.code}
    log.info("submit", carrier=sent.carrier.slug, attempt=sent.tries, **said, **what)
