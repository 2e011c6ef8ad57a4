"""Apply delivery reports: move the reported message, or the messages that wait for the reported DDM."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from django.db import transaction

from base import bulk, sql
from handsets import cache
from mms.messages import charging, discovery, leases, report_matching, timeline
from mms.messages.timeline import Entry
from mms.models import Attempt, Carrier, Message, Report, Status
from mms.postbacks import notices
from mms.postbacks.notices import Notice
from mms.protocol.reports import DeliveryReport

# Seconds for a lock. The whole batch waits for it; the MMSC repeats a report that cannot be stored.
LOCK_WAIT: Final = 0.2


@sql.repeats_outdated
def record_reports(given: Sequence[tuple[Carrier, DeliveryReport]], now: datetime) -> list[Report]:
    """Record delivery reports and apply the new ones, in order. Repeated reports change nothing.

    Commits all of them in one transaction, or raises and commits none.
    """
    with transaction.atomic():
        sql.limit_lock_waits(LOCK_WAIT)
        recorded = report_matching.record(given, now)
        apply_reports([report for report, new in recorded if new], now)
        identities = [cache.parse_identity(report.handset) for _, report in given]
        report_matching.update_handset_cache([(report, i) for (report, _), i in zip(recorded, identities, strict=True)])
    return [report for report, _ in recorded]


def apply_early(attempts: Sequence[Attempt], now: datetime) -> None:
    """Apply the reports that arrived before the results of these attempts. The caller holds the transaction."""
    apply_matched(report_matching.match_early(attempts), now)


def apply_matched(reports: Sequence[Report], now: datetime) -> None:
    """Apply reports that have just been matched, and enter the handsets that they name into the handset cache.

    The caller holds the transaction. The cache is last: every transaction locks cached handsets last.
    """
    apply_reports(reports, now)
    report_matching.update_handset_cache([(report, report.identity) for report in reports])


def apply_reports(reports: Sequence[Report], now: datetime) -> None:
    """Apply those of the reports that are matched. The caller holds the transaction."""
    matched = [(report, report.attempt) for report in reports if report.attempt]
    of_messages = [(report, a.message_id) for report, a in matched if a.message_id is not None]
    of_discoveries = [(report, a.discovery_id) for report, a in matched if a.discovery_id is not None]
    # To avoid deadlocks, lock everything before any change, discoveries before messages.
    discoveries = discovery.lock({key for _, key in of_discoveries})
    messages = _lock_messages({key for _, key in of_messages} | discovery.message_keys(discoveries))
    _apply_to_messages([(report, messages[key]) for report, key in of_messages], now)
    for report, key in of_discoveries:
        discovery.apply_report(discoveries[key], report, now)


def _lock_messages(keys: Collection[int]) -> dict[int, Message]:
    messages = sql.fetch_objects(Message, leases.LOCK, [list(keys)]) if keys else []
    sql.load_related(messages, "carrier", "account")
    return {message.pk: message for message in messages}


def _apply_to_messages(reported: Sequence[tuple[Report, Message]], now: datetime) -> None:
    entries: list[Entry] = []
    confirmed: list[Message] = []
    undelivered: list[Message] = []
    for report, message in reported:
        final = report_matching.final_status(report)
        if report_matching.confirms_submit(message, final):
            message.status, message.submitted_at = Status.SUBMITTED, now
            confirmed.append(message)
            entries.append(_confirmation(message))
        if final is None or message.status != Status.SUBMITTED:
            entries.append(Entry(message, "report", _summary(report)))
            continue
        message.status, message.due_at, message.final_at = final, None, now
        entries.append(_final_entry(message, report))
        if final != Status.DELIVERED:
            undelivered.append(message)
    bulk.update(_distinct(message for _, message in reported), "status", "due_at", "submitted_at", "final_at")
    charging.lock_balances([*confirmed, *undelivered])
    charging.charge_submitted(confirmed, now)
    charging.refund_undelivered(undelivered, now)
    timeline.write(entries, now)


def _distinct(messages: Iterable[Message]) -> list[Message]:
    return list({message.pk: message for message in messages}.values())


def _confirmation(message: Message) -> Entry:
    details = "confirmed by its delivery report"
    return Entry(message, "submitted", details, Notice("N101", notices.MESSAGE_SENT, details))


def _final_entry(message: Message, report: Report) -> Entry:
    status = notices.report_status_text(report.status)
    code = "N102" if status == notices.DELIVERED else "E102"
    details = report.text
    if code == "N102":  # the handset is the reported one, which may have been unknown when the message was adapted
        details = "; ".join(filter(None, [report.text, message.profile_used]))
    return Entry(message, message.status, _summary(report), Notice(code, status, details, handset=report.identity))


def _summary(report: Report) -> str:
    return " ".join(filter(None, [report.raw_status, report.text, report.identity]))
