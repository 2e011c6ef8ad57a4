"""Tables of the history of a message, a discovery or a postback, in chronological order."""

from collections.abc import Iterable

from django.db.models import QuerySet

from billing.amounts import format_amount
from billing.models import LedgerEntry
from mms.admin.tables import MAX_ROWS, Row, Table, format_size, label, link, timestamp
from mms.models import Attempt, Discovery, Message, Postback, PostbackAttempt, Report

ATTEMPT = ("Try", "Started", "Duration", "Size", "Outcome", "HTTP status", "Code", "Answer of the MMSC", "MessageID")
REPORT = ("Report", "Received", "Status", "MMSC status and text", "Handset")
LEDGER = ("Booked", "Entry", "Balance change", "Reserved change")
POSTBACK = ("Postback", "Code", "Message status", "Status", "Due", "Tries", "Details")
POSTBACK_ATTEMPT = ("Started", "Duration", "URL", "HTTP status", "Answer")


def timeline_table(message: Message) -> Table:
    """Return the events of the message."""
    rows = [
        Row((timestamp(event.at), label(event.kind), event.text, event.details))
        for event in message.events.all()[:MAX_ROWS]
    ]
    return Table("Timeline", ("Time", "Event", "Description", "Details"), rows)


def attempts_table(sent: Message | Discovery) -> Table:
    """Return the submit attempts, each with its delivery reports."""
    attempts = sent.attempts.prefetch_related("reports")[:MAX_ROWS]
    return Table("Submit attempts and delivery reports", ATTEMPT, [_attempt(attempt) for attempt in attempts])


def _attempt(attempt: Attempt) -> Row:
    cells = (
        link(attempt, attempt.try_number),
        timestamp(attempt.started_at),
        _duration(attempt),
        format_size(attempt.size),
        label(attempt.outcome or "unknown"),
        attempt.http_status,
        attempt.code,
        attempt.text,
        attempt.mmsc_id,
    )
    return Row(cells, REPORT, [_report(report) for report in attempt.reports.all()])


def _duration(attempt: Attempt) -> str:
    if attempt.finished_at is None:
        return "no answer yet"
    return f"{(attempt.finished_at - attempt.started_at).total_seconds() * 1000:,.0f} ms"


def reports_table(reports: Iterable[Report]) -> Table:
    """Return the delivery reports."""
    return Table("Delivery reports", REPORT, [Row(_report(report)) for report in reports])


def _report(report: Report) -> tuple[object, ...]:
    text = f"{report.raw_status} {report.text}".strip()
    return (link(report, report.pk), timestamp(report.received_at), label(report.status), text, report.identity)


def postbacks_table(message: Message) -> Table:
    """Return the postbacks of the message, each with its attempts."""
    postbacks = message.postbacks.prefetch_related("attempts")[:MAX_ROWS]
    return Table("Postbacks", POSTBACK, [_postback(postback) for postback in postbacks])


def _postback(postback: Postback) -> Row:
    cells = (
        link(postback, postback.pk),
        postback.code,
        postback.fields.get("status", ""),
        label(postback.status, postback.get_status_display()),
        timestamp(postback.due_at),
        postback.tries,
        postback.fields.get("status-details", ""),
    )
    return Row(cells, rows=[_postback_attempt(attempt) for attempt in postback.attempts.all()])


def ledger_table(message: Message) -> Table:
    """Return the ledger entries of the message."""
    entries = LedgerEntry.objects.filter(message=message.pk)
    return Table("Ledger", LEDGER, [_entry(entry, message.account.currency) for entry in entries])


def _entry(entry: LedgerEntry, currency: str) -> Row:
    changes = (format_amount(change, currency) for change in (entry.balance_change, entry.reserved_change))
    return Row((timestamp(entry.created_at), link(entry, entry.get_kind_display()), *changes))


def postback_attempts_table(postback: Postback) -> Table:
    """Return the attempts to deliver the postback."""
    attempts = postback.attempts.all()[:MAX_ROWS]
    return Table("Attempts", POSTBACK_ATTEMPT, [Row(_postback_attempt(attempt)) for attempt in attempts])


def _postback_attempt(attempt: PostbackAttempt) -> tuple[object, ...]:
    duration = "no answer yet" if attempt.duration_ms is None else f"{attempt.duration_ms:,} ms"
    status = f"HTTP {attempt.http_status}" if attempt.http_status else "-"
    return (timestamp(attempt.started_at), duration, attempt.url, status, attempt.error or attempt.answer)


def messages_table(discovery: Discovery) -> Table:
    """Return the messages that wait or waited for the discovery."""
    messages: QuerySet[Message] = discovery.messages.select_related("account").order_by("pk")
    rows = [
        Row((link(message), link(message.account), label(message.status), timestamp(message.created_at)))
        for message in messages[:MAX_ROWS]
    ]
    return Table("Messages of this discovery", ("Tracking ID", "Account", "Status", "Created"), rows)
