"""Attempts: the row written before each submit and completed with its result, which moves the message or discovery.

Messages and discoveries share this code. transitions.py derives timeline, postbacks and charges from the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic

from django.db import transaction

from base import bulk, sql
from mms.messages import leases
from mms.messages.leases import LEASE, LockedRow, Sent
from mms.models import Attempt, Discovery, Message, Status
from mms.protocol.submit import Outcome, SubmitResult

# Time to the next try after each transient failure in turn; the last step is repeated until the message expires. After
# a request that never left, the first step applies and none is used up.
RETRY_SCHEDULE = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=2),
)
# For codes that allow few retries (MM7 status 4000). After the last one the message fails.
LIMITED_SCHEDULE = RETRY_SCHEDULE[:2]
# The outcomes that advance the schedule.
REFUSALS = frozenset({Outcome.TRANSIENT, Outcome.LIMITED})
# The statuses of a row that is to be sent again. Until the next attempt, a late acceptance still makes it submitted.
TO_SEND_AGAIN = frozenset({Status.ACCEPTED, Status.DISCOVERING, Status.SENDING})


@dataclass(frozen=True, slots=True)
class CompletedSubmit(Generic[Sent]):
    """A completed submit: the message or discovery, its attempt and the result."""

    sent: Sent
    attempt: Attempt
    result: SubmitResult


@sql.repeats_outdated
def start(ready: Sequence[tuple[Sent, int]], now: datetime, *fields: str) -> list[tuple[Sent, Attempt]]:
    """Write an attempt for each row still under its lease, and renew the lease. Return these rows with their attempts.

    `ready` pairs each row with the size of its request in bytes; the named `fields` of the rows are saved as well. A
    row that another worker has claimed is left out, and must not be sent.
    """
    if not ready:
        return []
    with transaction.atomic():
        held = leases.lock_held([sent for sent, _ in ready])
        mine = [(sent, size) for sent, size in ready if sent.pk in held]
        for sent, _ in mine:
            sent.due_at, sent.tries = now + LEASE, sent.tries + 1
        bulk.update([sent for sent, _ in mine], "due_at", "tries", *fields)
        attempts = bulk.insert([_attempt(sent, size, now) for sent, size in mine])
    return [(sent, attempt) for (sent, _), attempt in zip(mine, attempts, strict=True)]


def _attempt(sent: Message | Discovery, size: int, now: datetime) -> Attempt:
    attempt = Attempt(carrier=sent.carrier, try_number=sent.tries, started_at=now, size=size)
    if isinstance(sent, Message):
        attempt.message = sent
    else:
        attempt.discovery = sent
    return attempt


def complete(submits: Sequence[CompletedSubmit[Sent]], now: datetime) -> list[CompletedSubmit[Sent]]:
    """Complete the attempts and move each message or discovery to its next status. Return the submits that moved one.

    A result that arrives after the lease ended still counts: the row is in doubt by then, and the result resolves it.
    The caller holds the transaction.
    """
    completed = [_completed(submit, now) for submit in submits]
    bulk.update(completed, "finished_at", "outcome", "http_status", "code", "text", "mmsc_id")
    moved = _lock_movable(submits)
    for submit in moved:
        _move(submit, now)
    _save_moved([submit.sent for submit in moved])
    return moved


def _save_moved(moved: Sequence[Message | Discovery]) -> None:
    times = ("submitted_at", "final_at") if any(isinstance(sent, Message) for sent in moved) else ()
    bulk.update(moved, "status", "due_at", "refusals", *times)


def _completed(submit: CompletedSubmit[Sent], now: datetime) -> Attempt:
    attempt, result = submit.attempt, submit.result
    attempt.finished_at = now
    attempt.outcome = Attempt.Outcome(result.outcome)
    attempt.http_status = result.http_status
    attempt.code = result.code
    attempt.text = result.text
    attempt.mmsc_id = result.message_id or ""
    return attempt


def _lock_movable(submits: Sequence[CompletedSubmit[Sent]]) -> list[CompletedSubmit[Sent]]:
    """Lock the rows. Return the submits whose rows still await the result."""
    rows = leases.lock([submit.sent for submit in submits])
    movable = [submit for submit in submits if _awaits(rows.get(submit.sent.pk), submit)]
    for submit in movable:
        row = rows[submit.sent.pk]
        # A message that has joined the discovery since may have extended it.
        submit.sent.expires_at, submit.sent.refusals = row.expires_at, row.refusals
    return movable


def _awaits(row: LockedRow | None, submit: CompletedSubmit[Sent]) -> bool:
    """Return whether the row still awaits the result of this attempt, and not that of a later one.

    Only the row decides: when a step is repeated after a database restart, the object in memory has already changed.
    """
    if row is None or row.tries != submit.attempt.try_number:
        return False
    if row.status in TO_SEND_AGAIN and submit.result.outcome == Outcome.SUBMITTED:
        return True  # also after an operator decided to send it again
    leased = row.status == Status.SENDING and row.due_at == submit.attempt.started_at + LEASE
    return leased or row.status == Status.IN_DOUBT


def _move(submit: CompletedSubmit[Sent], now: datetime) -> None:
    sent, outcome = submit.sent, submit.result.outcome
    sent.refusals += outcome in REFUSALS
    retry = _retry_at(submit, now)
    if outcome == Outcome.SUBMITTED:
        sent.status, sent.due_at = Status.SUBMITTED, leases.report_deadline(sent)
    elif outcome == Outcome.IN_DOUBT:
        sent.status, sent.due_at = Status.IN_DOUBT, leases.report_deadline(sent)
    elif retry:
        sent.status, sent.due_at = Status.ACCEPTED, retry
    else:
        sent.status, sent.due_at = Status.FAILED, None
    if isinstance(sent, Message):
        sent.submitted_at = now if sent.status == Status.SUBMITTED else sent.submitted_at
        sent.final_at = now if sent.status == Status.FAILED else None


def _retry_at(submit: CompletedSubmit[Sent], now: datetime) -> datetime | None:
    """Return the time of the next try, or None if there is none before the expiry."""
    wait = retry_wait(submit.result.outcome, _count_refusals(submit))
    retry = now + wait if wait else None
    return retry if retry and retry < submit.sent.expires_at else None


def _count_refusals(submit: CompletedSubmit[Sent]) -> int:
    """Return the number of refusals for the schedule: after a code that allows few retries, only those of its kind."""
    sent = submit.sent
    if submit.result.outcome != Outcome.LIMITED or sent.refusals <= 1:
        return sent.refusals
    of_row = {str(sent._meta.model_name): sent}
    return Attempt.objects.filter(outcome=Attempt.Outcome.LIMITED, **of_row).count()


def retry_wait(outcome: Outcome, refusals: int) -> timedelta | None:
    """Return the time to the next try after an outcome, the last of so many refusals; None if there is no next try."""
    match outcome:
        case Outcome.UNREACHABLE:
            return RETRY_SCHEDULE[0]
        case Outcome.TRANSIENT:
            return RETRY_SCHEDULE[min(refusals, len(RETRY_SCHEDULE)) - 1]
        case Outcome.LIMITED if refusals <= len(LIMITED_SCHEDULE):
            return LIMITED_SCHEDULE[refusals - 1]
    return None
