"""Transitions of a message that is being sent: adapted, submitted, retried, in doubt, failed.

Each function is one step. It moves rows by conditional updates and writes the timeline, the postbacks and the charges
of the step in the same transaction; none makes a network call. Delivery reports are applied in report_apply.py,
deadlines in sweeper.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from base import bulk, sql
from handsets import profiles
from mms.adaptation.plan import CannotFit
from mms.messages import attempts, charging, discovery, leases, report_apply, timeline
from mms.messages.attempts import CompletedSubmit
from mms.messages.leases import LockedRow
from mms.messages.timeline import Entry
from mms.models import Attempt, Discovery, Event, Message, Status
from mms.postbacks import notices
from mms.postbacks.notices import Notice
from mms.protocol.submit import Outcome, SubmitResult
from mms.rendering.compose import ComposedMessage

# --- adapt --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AdaptedMessage:
    """A message adapted to its handset; `request_size` is the size of the submit in bytes."""

    message: Message
    content: ComposedMessage
    request_size: int


@sql.repeats_outdated
def start_attempts(group: Sequence[AdaptedMessage], now: datetime) -> list[tuple[Message, Attempt]]:
    """Write an attempt and the adaptation for each message still under its lease. Only these may be sent."""
    for each in group:
        each.message.profile_used = profiles.describe(each.message.handset)
    with transaction.atomic():
        sizes = [(each.message, each.request_size) for each in group]
        started = attempts.start(sizes, now, "handset", "profile_used")
        started_keys = {message.pk for message, _ in started}
        timeline.write([_adaptation(each) for each in group if each.message.pk in started_keys], now)
    return started


def _adaptation(adapted: AdaptedMessage) -> Entry:
    """Return the entry that names handset and profile, every change to the content, and its final size."""
    message, content = adapted.message, adapted.content
    has_profile = message.handset and message.handset.profile
    to = f"{message.handset} ({message.profile_used})" if has_profile else f"the {message.profile_used}"
    details = {"changes": content.changes, "bytes": content.size, "renditions": content.renditions}
    text = "; ".join([f"to {to}", *content.left_out])
    return Entry(message, "adapted", text, details=details)


@sql.repeats_outdated
def fail_unfit(message: Message, verdict: CannotFit, now: datetime) -> None:
    """Fail a message whose content does not fit the limits of its handset: E101 with the reason."""
    with transaction.atomic():
        held = Message.objects.filter(pk=message.pk, status=Status.SENDING, due_at=message.due_at)
        if held.update(status=Status.FAILED, due_at=None, final_at=now):
            fail([message], verdict.reason, now)


@sql.repeats_outdated
def record_preparation_failure(message: Message, problem: str, now: datetime) -> None:
    """Release a message that could not be prepared. It is due again later, or fails at the third time."""
    with transaction.atomic():
        if not leases.release_after_failure(message, now):
            return
        timeline.write([Entry(message, "unprepared", problem)], now)
        if message.status == Status.FAILED:
            fail([message], "it could not be prepared", now)


@sql.repeats_outdated
def postpone(message: Message, problem: str, now: datetime) -> None:
    """Release a message that cannot be prepared for a reason of the platform's. It is due again until it expires.

    Only the first postponement is entered in its timeline.
    """
    with transaction.atomic():
        if leases.postpone(message, now) and not message.events.filter(kind="put-off").exists():
            timeline.write([Entry(message, "put-off", problem)], now)


@sql.repeats_outdated
def record_ddm_preparation_failure(found: Discovery, now: datetime) -> None:
    """Release a discovery whose DDM could not be prepared. It is due again later, or fails at the third time."""
    with transaction.atomic():
        if leases.release_after_failure(found, now) and found.status == Status.FAILED:
            discovery.record_ddm_failed(found, "the DDM could not be prepared", now)


# --- submit -------------------------------------------------------------------------------------------------------


@sql.repeats_outdated
def record_submit_results(submits: Sequence[CompletedSubmit[Message]], now: datetime) -> None:
    """Record the MMSC's results for messages: N101, E101, a retry, or in doubt."""
    with transaction.atomic():
        moved = attempts.complete(submits, now)
        charging.lock_balances(submit.sent for submit in submits)
        timeline.write([_submit_entry(submit) for submit in _worth_an_entry(moved)], now)
        charging.charge_submitted([s.sent for s in moved if s.sent.status == Status.SUBMITTED], now)
        charging.release_unsubmitted([s.sent for s in moved if s.sent.status == Status.FAILED], now)
        report_apply.apply_early([submit.attempt for submit in submits], now)


def _worth_an_entry(moved: Sequence[CompletedSubmit[Message]]) -> list[CompletedSubmit[Message]]:
    """Leave out repeated failures to reach the MMSC: there may be thousands, and a timeline has only the first."""
    waiting = [s.sent for s in moved if s.result.outcome == Outcome.UNREACHABLE and s.sent.status == Status.ACCEPTED]
    if not waiting:
        return list(moved)
    entered = set(Event.objects.filter(message__in=waiting, kind="unreachable").values_list("message", flat=True))
    repeated = {message.pk for message in waiting} & entered
    return [submit for submit in moved if submit.sent.pk not in repeated]


def _submit_entry(submit: CompletedSubmit[Message]) -> Entry:
    message, result = submit.sent, submit.result
    details = {"try": message.tries, "outcome": result.outcome}
    match message.status:
        case Status.SUBMITTED:
            text = f"the MMSC accepted it as {result.message_id}"
            return Entry(message, "submitted", text, Notice("N101", notices.MESSAGE_SENT), details)
        case Status.FAILED:
            return _failure(message, _refusal(result, "the message"))
        case Status.IN_DOUBT:
            text = _code_and_text(result) or f"the MMSC did not say whether it accepted the message{_http(result)}"
            return Entry(message, "in-doubt", text, details=details)
        case _ if result.outcome == Outcome.UNREACHABLE:
            text = "the MMSC is out of reach; tried again until the message expires"
            return Entry(message, "unreachable", text, details=details)
        case _:
            text = f"{_refusal(result, 'the message')}; next try at {message.due_at:%H:%M:%S}"
            return Entry(message, "retry", text, details=details)


@sql.repeats_outdated
def record_ddm_results(submits: Sequence[CompletedSubmit[Discovery]], now: datetime) -> None:
    """Record the MMSC's results for DDMs: N501 or E501 for every waiting message, or a retry."""
    with transaction.atomic():
        for submit in attempts.complete(submits, now):
            _record_ddm_result(submit, now)
        report_apply.apply_early([submit.attempt for submit in submits], now)


def _record_ddm_result(submit: CompletedSubmit[Discovery], now: datetime) -> None:
    if submit.sent.status == Status.SUBMITTED:
        discovery.record_ddm_submitted(submit.sent, now)
    elif submit.sent.status == Status.FAILED:
        discovery.record_ddm_failed(submit.sent, _refusal(submit.result, "the DDM"), now)


def _refusal(result: SubmitResult, what: str) -> str:
    return _code_and_text(result) or f"the MMSC did not accept {what}{_http(result)}"


def _http(result: SubmitResult) -> str:
    return f" (HTTP {result.http_status})" if result.http_status else ""


def _code_and_text(result: SubmitResult) -> str:
    """Return the MMSC's code and text for the customer.

    Text without a code may contain addresses of the platform, so it stays in the attempt.
    """
    return f"{result.code} {result.text}".strip() if result.code else ""


# --- an operator's decision -----------------------------------------------------------------------------------------


@sql.repeats_outdated
def resolve_in_doubt(selected: Sequence[Message], *, sent: bool, by: str, now: datetime) -> int:
    """Record the decision of the operator `by` on messages in doubt: they were sent (N101), or they are sent again.

    Return the number of those that were in doubt. Nothing else changes.
    """
    with transaction.atomic():
        rows = leases.lock(selected) if selected else {}
        doubtful = [message for message in selected if _is_as_decided(message, rows.get(message.pk))]
        for message in doubtful:
            _resolve(message, sent, now)
        bulk.update(doubtful, "status", "due_at", "submitted_at")
        timeline.write([_resolution(message, sent, by) for message in doubtful], now)
        if sent:
            charging.charge_submitted(doubtful, now)
    return len(doubtful)


def _is_as_decided(message: Message, row: LockedRow | None) -> bool:
    """Return whether the row is in doubt, and since the same submit as the message that the operator saw."""
    return row is not None and row.status == Status.IN_DOUBT and row.tries == message.tries


def _resolve(message: Message, sent: bool, now: datetime) -> None:
    if sent:
        message.status, message.due_at = Status.SUBMITTED, leases.report_deadline(message)
        message.submitted_at = now
    else:
        message.status, message.due_at = Status.ACCEPTED, now


def _resolution(message: Message, sent: bool, by: str) -> Entry:
    if sent:
        return Entry(message, "resolved", f"{by}: it was sent", Notice("N101", notices.MESSAGE_SENT))
    return Entry(message, "resolved", f"{by}: it was not sent, so it is sent again")


# --- failure ------------------------------------------------------------------------------------------------------


def fail(messages: Sequence[Message], reason: str, now: datetime) -> None:
    """Fail messages whose rows the caller has locked: E101 with the reason."""
    keys = [message.pk for message in messages]
    Message.objects.filter(pk__in=keys).update(status=Status.FAILED, due_at=None, final_at=now)
    charging.release_unsubmitted(messages, now)
    timeline.write((_failure(message, reason) for message in messages), now)


def _failure(message: Message, reason: str) -> Entry:
    return Entry(message, "failed", reason, Notice("E101", notices.MESSAGE_FAILED, reason))
