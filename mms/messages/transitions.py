"""The story of a message, told in the order in which it happens.

    accept -> claim -> (discover: wait for a DDM's report) -> adapt -> submit -> report -> notify

Everything that waits is a row with a `due_at`. Each function here is one step: it claims rows or moves them by
conditional updates, and writes the timeline and the postbacks of the step in the same transaction. None of them
makes a call over the network; delivery.py drives them and makes the calls in between. What happens to those that
nobody answers, overdue.py tells.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from base import bulk, sql
from handsets import cache
from mms.adaptation.plan import CannotFit
from mms.messages import charging, discovery, leases, report_matching, timeline
from mms.messages.leases import Landing
from mms.messages.timeline import Entry
from mms.models import Attempt, Carrier, Discovery, Message, Report, Status
from mms.postbacks import notices
from mms.postbacks.notices import Notice
from mms.protocol.reports import DeliveryReport
from mms.protocol.submit import SubmitResult
from mms.rendering.compose import Composed

# --- claim, and discover where needed ---------------------------------------------------------------------------


def claim(
    now: datetime, per_carrier: int, busy: Sequence[int] = (), room: int = leases.ROOM
) -> tuple[list[Message], int]:
    """Takes due messages: returns those that are to be sent now, and how many it took in all.

    Those that need a discovery are left waiting for it; those that expired have failed.
    """
    with transaction.atomic():
        claimed = leases.claim(Message, now, per_carrier, busy, room)
        live = [message for message in claimed if message.expires_at > now]
        fail([m for m in claimed if m.expires_at <= now], "it expired before it could be sent", now)
    # Under their leases alone: a report holds the discovery's row when it comes for those of its messages.
    with transaction.atomic():
        waiting = discovery.wait(live, now)
    return [message for message in live if message.pk not in waiting], len(claimed)


def claim_discoveries(
    now: datetime, per_carrier: int, busy: Sequence[int] = (), room: int = leases.ROOM
) -> list[Discovery]:
    """Takes discoveries whose DDM is to be sent. One whose messages all went on meanwhile is closed unsent."""
    with transaction.atomic():
        claimed = leases.claim(Discovery, now, per_carrier, busy, room)
        for late in (d for d in claimed if d.expires_at <= now):
            _close(late, Status.FAILED)
    return [found for found in claimed if found.expires_at > now]


# --- adapt --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Adapted:
    """A message as it is ready to go out, and the bytes of its request."""

    message: Message
    made: Composed
    request_size: int


def adapted(group: Sequence[Adapted], now: datetime) -> list[tuple[Message, Attempt]]:
    """Writes an attempt for each that is still ours, and for which handset it was adapted; these may leave now."""
    with transaction.atomic():
        started = leases.start([(each.message, each.request_size) for each in group], now, "handset")
        ours = {message.pk for message, _ in started}
        timeline.write([_adaptation(each) for each in group if each.message.pk in ours], now)
    return started


def _adaptation(adapted: Adapted) -> Entry:
    """For which handset, what had to change, and how many bytes it has now."""
    message, made = adapted.message, adapted.made
    to = str(message.handset) if message.handset else "the generic profile"
    details = {"changes": made.changes, "bytes": made.size, "renditions": made.renditions}
    return Entry(message, "adapted", f"to {to}", details=details)


def cannot_fit(message: Message, verdict: CannotFit, now: datetime) -> None:
    """No MMS can carry the content to this handset: E101 with the reason."""
    with transaction.atomic():
        held = Message.objects.filter(pk=message.pk, status=Status.SENDING, due_at=message.due_at)
        if held.update(status=Status.FAILED, due_at=None, final_at=now):
            fail([message], verdict.reason, now)


def unprepared(message: Message, problem: str, now: datetime) -> None:
    """Something broke while the message was prepared: tried again in a while, failed at the third time."""
    with transaction.atomic():
        if not leases.release(message, now):
            return
        timeline.write([Entry(message, "unprepared", problem)], now)
        if message.status == Status.FAILED:
            fail([message], "it could not be prepared", now)


def put_off(message: Message, problem: str, now: datetime) -> None:
    """It could not be prepared through no fault of its own: tried again until it expires, and told the first time."""
    with transaction.atomic():
        if leases.put_off(message, now) and not message.events.filter(kind="put-off").exists():
            timeline.write([Entry(message, "put-off", problem)], now)


def ddm_unprepared(found: Discovery, now: datetime) -> None:
    """Something broke while the DDM was prepared: tried again in a while, failed at the third time."""
    with transaction.atomic():
        if leases.release(found, now) and found.status == Status.FAILED:
            discovery.failed(found, "the DDM could not be prepared", now)


# --- submit -------------------------------------------------------------------------------------------------------


def submitted(landings: Sequence[Landing[Message]], now: datetime) -> None:
    """The MMSC's answers to messages: N101, E101, another try, or in doubt."""
    with transaction.atomic():
        moved = leases.settle(landings, now)
        charging.hold(landing.sent for landing in landings)
        timeline.write([_told(landing) for landing in moved], now)
        charging.submitted([landing.sent for landing in moved if landing.sent.status == Status.SUBMITTED], now)
        charging.never_submitted([landing.sent for landing in moved if landing.sent.status == Status.FAILED], now)
        apply(report_matching.early([landing.attempt for landing in landings]), now)


def _told(landing: Landing[Message]) -> Entry:
    message, answer = landing.sent, landing.answer
    details = {"try": message.tries, "outcome": answer.outcome}
    match message.status:
        case Status.SUBMITTED:
            text = f"the MMSC took it as {answer.message_id}"
            return Entry(message, "submitted", text, Notice("N101", notices.MESSAGE_SENT), details)
        case Status.FAILED:
            return _failure(message, _refusal(answer, "the message"))
        case Status.IN_DOUBT:
            text = _said_with_code(answer) or "the MMSC did not say whether it took the message"
            return Entry(message, "in-doubt", text, details=details)
        case _:
            text = f"{_refusal(answer, 'the message')}; again at {message.due_at:%H:%M:%S}"
            return Entry(message, "retry", text, details=details)


def discoveries_submitted(landings: Sequence[Landing[Discovery]], now: datetime) -> None:
    """The MMSC's answers to DDMs: N501 or E501 for every message that waits, or another try."""
    with transaction.atomic():
        for landing in leases.settle(landings, now):
            _ddm_answered(landing, now)
        apply(report_matching.early([landing.attempt for landing in landings]), now)


def _ddm_answered(landing: Landing[Discovery], now: datetime) -> None:
    if landing.sent.status == Status.SUBMITTED:
        discovery.taken(landing.sent, now)
    elif landing.sent.status == Status.FAILED:
        discovery.failed(landing.sent, _refusal(landing.answer, "the DDM"), now)


def _refusal(answer: SubmitResult, what: str) -> str:
    return _said_with_code(answer) or f"the MMSC did not take {what}"


def _said_with_code(answer: SubmitResult) -> str:
    """The MMSC's words, fit for the customer; what has no code may hold addresses of ours, which the attempt keeps."""
    return f"{answer.code} {answer.text}".strip() if answer.code else ""


# --- report -------------------------------------------------------------------------------------------------------


def report(carrier: Carrier, given: DeliveryReport, now: datetime) -> Report:
    """An MMSC's delivery report, kept and applied once however often it comes; committed when this returns."""
    return take_reports([(carrier, given)], now)[0]


def take_reports(said: Sequence[tuple[Carrier, DeliveryReport]], now: datetime) -> list[Report]:
    """Delivery reports that came together, in their order: all of them are committed when this returns, or none."""
    with transaction.atomic():
        kept = report_matching.record(said, now)
        apply([report for report, new in kept if new], now)
        report_matching.learn(
            [(report, cache.identity_of(given.handset)) for (report, _), (_, given) in zip(kept, said, strict=True)]
        )
    return [report for report, _ in kept]


def apply(found: Sequence[Report], now: datetime) -> None:
    """What matched reports mean for their messages, or for those that wait for their discoveries."""
    matched = [(report, report.attempt) for report in found if report.attempt]
    of_messages = [(report, a.message_id) for report, a in matched if a.message_id is not None]
    of_discoveries = [(report, a.discovery_id) for report, a in matched if a.discovery_id is not None]
    # Everything is locked before anything is done, in one order for all: first the discoveries, then the messages.
    discoveries = discovery.locked({key for _, key in of_discoveries})
    messages = _locked({key for _, key in of_messages} | discovery.messages(discoveries))
    _apply_to_messages([(report, messages[key]) for report, key in of_messages], now)
    for report, key in of_discoveries:
        discovery.apply(discoveries[key], report, now)


def _locked(keys: Collection[int]) -> dict[int, Message]:
    messages = sql.objects(Message, leases.LOCK, [list(keys)]) if keys else []
    sql.fetch(messages, "carrier", "account")
    return {message.pk: message for message in messages}


def _apply_to_messages(found: Sequence[tuple[Report, Message]], now: datetime) -> None:
    entries: list[Entry] = []
    confirmed: list[Message] = []
    undelivered: list[Message] = []
    for report, message in found:
        final = report_matching.final_status(report)
        if _confirms(message, final):
            message.status, message.submitted_at = Status.SUBMITTED, now
            confirmed.append(message)
            entries.append(_confirmation(message))
        if final is None or message.status != Status.SUBMITTED:
            entries.append(Entry(message, "report", _said(report)))
            continue
        message.status, message.due_at, message.final_at = final, None, now
        entries.append(_reported(message, report))
        if final != Status.DELIVERED:
            undelivered.append(message)
    bulk.update(_once(message for _, message in found), "status", "due_at", "submitted_at", "final_at")
    charging.hold([*confirmed, *undelivered])
    charging.submitted(confirmed, now)
    charging.undelivered(undelivered, now)
    timeline.write(entries, now)


def _once(messages: Iterable[Message]) -> list[Message]:
    return list({message.pk: message for message in messages}.values())


def _confirms(message: Message, final: Status | None) -> bool:
    """Whether the report says that the message did reach the MMSC, which we did not know."""
    # Delivered although the MMSC had refused a try: another one would deliver it twice.
    refused = message.status == Status.ACCEPTED and final == Status.DELIVERED
    return message.status == Status.IN_DOUBT or refused


def _confirmation(message: Message) -> Entry:
    details = "confirmed by its delivery report"
    return Entry(message, "submitted", details, Notice("N101", notices.MESSAGE_SENT, details))


def _reported(message: Message, report: Report) -> Entry:
    status = notices.of_report(report.status)
    code = "N102" if status == notices.DELIVERED else "E102"
    return Entry(message, message.status, _said(report), Notice(code, status, report.text, handset=report.identity))


def _said(report: Report) -> str:
    return " ".join(filter(None, [report.raw_status, report.text, report.identity]))


# --- an operator's word -------------------------------------------------------------------------------------------


def resolve(message: Message, sent: bool, by: str, now: datetime) -> bool:
    """What the operator named `by` found out about a message in doubt: it was sent (N101), or it is to be sent again.

    Returns whether it still was in doubt; if not, nothing changes.
    """
    if sent:
        entry = Entry(message, "resolved", f"{by}: it was sent", Notice("N101", notices.MESSAGE_SENT))
        changes = {"status": Status.SUBMITTED, "due_at": message.expires_at, "submitted_at": now}
    else:
        entry = Entry(message, "resolved", f"{by}: it was not sent, so it is sent again")
        changes = {"status": Status.ACCEPTED, "due_at": now}
    with transaction.atomic():
        moved = Message.objects.filter(pk=message.pk, status=Status.IN_DOUBT).update(**changes)
        if moved:
            timeline.write([entry], now)
        if moved and sent:
            charging.submitted([message], now)
    return bool(moved)


# --- the end --------------------------------------------------------------------------------------------------------


def fail(messages: Sequence[Message], reason: str, now: datetime) -> None:
    """Ends messages whose rows the caller holds: E101 with the reason."""
    keys = [message.pk for message in messages]
    Message.objects.filter(pk__in=keys).update(status=Status.FAILED, due_at=None, final_at=now)
    charging.never_submitted(messages, now)
    timeline.write((_failure(message, reason) for message in messages), now)


def _failure(message: Message, reason: str) -> Entry:
    return Entry(message, "failed", reason, Notice("E101", notices.MESSAGE_FAILED, reason))


def _close(found: Discovery, status: Status) -> None:
    Discovery.objects.filter(pk=found.pk).update(status=status, due_at=None)
