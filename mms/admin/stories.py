"""What became of a message, a DDM or a postback, as tables: each in the order in which it happened."""

from collections.abc import Iterable

from django.db.models import QuerySet

from billing.amounts import format_amount
from billing.models import LedgerEntry
from mms.admin.tables import MOST, Row, Table, bytes_of, label, link, moment
from mms.models import Attempt, Discovery, Message, Postback, PostbackAttempt, Report

ATTEMPT = ("Try", "Began", "Took", "Size", "Outcome", "Code", "The MMSC's answer", "MessageID")
REPORT = ("Report", "Received", "Status", "As the MMSC wrote it", "Handset")
LEDGER = ("Booked", "Line", "To the balance", "To what is reserved")
POSTBACK = ("Postback", "Code", "Status text", "State", "Due", "Tries", "Details")
POSTBACK_ATTEMPT = ("Began", "Took", "URL", "HTTP", "Answer")


def timeline(message: Message) -> Table:
    """Every event of the message."""
    rows = [
        Row((moment(event.at), label(event.kind), event.text, event.details)) for event in message.events.all()[:MOST]
    ]
    return Table("Timeline", ("Time", "Step", "What happened", "Details"), rows)


def attempts(sent: Message | Discovery) -> Table:
    """Every submit, each with the delivery reports that answer it."""
    made = sent.attempts.prefetch_related("reports")[:MOST]
    return Table("Submits and delivery reports", ATTEMPT, [_attempt(attempt) for attempt in made])


def _attempt(attempt: Attempt) -> Row:
    cells = (
        link(attempt, attempt.try_number),
        moment(attempt.started_at),
        _took(attempt),
        bytes_of(attempt.size),
        label(attempt.outcome or "unknown"),
        attempt.code,
        attempt.text,
        attempt.mmsc_id,
    )
    return Row(cells, REPORT, [_report(report) for report in attempt.reports.all()])


def _took(attempt: Attempt) -> str:
    if attempt.finished_at is None:
        return "no answer yet"
    return f"{(attempt.finished_at - attempt.started_at).total_seconds() * 1000:,.0f} ms"


def reports(of: Iterable[Report]) -> Table:
    """Delivery reports by themselves."""
    return Table("Delivery reports", REPORT, [Row(_report(report)) for report in of])


def _report(report: Report) -> tuple[object, ...]:
    said = f"{report.raw_status} {report.text}".strip()
    return (link(report, report.pk), moment(report.received_at), label(report.status), said, report.identity)


def postbacks(message: Message) -> Table:
    """Every postback with the attempts to hand it over."""
    made = message.postbacks.prefetch_related("attempts")[:MOST]
    return Table("Postbacks", POSTBACK, [_postback(postback) for postback in made])


def _postback(postback: Postback) -> Row:
    cells = (
        link(postback, postback.pk),
        postback.code,
        postback.fields.get("status", ""),
        label(postback.status),
        moment(postback.due_at),
        postback.tries,
        postback.fields.get("status-details", ""),
    )
    return Row(cells, rows=[_handover(attempt) for attempt in postback.attempts.all()])


def money(message: Message) -> Table:
    """The lines of the ledger that the message has."""
    lines = LedgerEntry.objects.filter(message=message.pk)
    return Table("Ledger", LEDGER, [_booked(line, message.account.currency) for line in lines])


def _booked(line: LedgerEntry, currency: str) -> Row:
    changes = (format_amount(change, currency) for change in (line.balance_change, line.reserved_change))
    return Row((moment(line.created_at), link(line, line.kind), *changes))


def handovers(postback: Postback) -> Table:
    """The attempts to hand this postback over."""
    made = postback.attempts.all()[:MOST]
    return Table("Attempts", POSTBACK_ATTEMPT, [Row(_handover(attempt)) for attempt in made])


def _handover(attempt: PostbackAttempt) -> tuple[object, ...]:
    took = "no answer yet" if attempt.duration_ms is None else f"{attempt.duration_ms:,} ms"
    status = f"HTTP {attempt.http_status}" if attempt.http_status else "-"
    return (moment(attempt.started_at), took, attempt.url, status, attempt.error or attempt.answer)


def waiting(discovery: Discovery) -> Table:
    """The messages that wait, or waited, for this discovery."""
    shared: QuerySet[Message] = discovery.messages.select_related("account").order_by("pk")
    rows = [
        Row((link(message), link(message.account), label(message.status), moment(message.created_at)))
        for message in shared[:MOST]
    ]
    return Table("Messages of this discovery", ("Tracking id", "Account", "Status", "Created"), rows)
