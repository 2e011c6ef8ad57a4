"""The admin of submit attempts and delivery reports."""

from collections.abc import Iterable

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from mms.admin import history
from mms.admin.filters import MatchFilter
from mms.admin.records import RecordAdmin
from mms.admin.tables import Table, format_size, label, link, timestamp
from mms.models import Attempt, Carrier, Report
from mms.models.tracking_ids import parse_tracking_id


@admin.register(Attempt)
class AttemptAdmin(RecordAdmin):
    list_display = (
        "started",
        "message_or_discovery",
        "carrier",
        "try_number",
        "outcome_label",
        "http_status",
        "code",
        "text",
        "mmsc_id",
    )
    list_display_links = ("started",)
    list_select_related = ("carrier", "message", "discovery")
    list_filter = (("carrier", AutocompleteSelectFilter),)
    search_fields = ("mmsc_id",)
    search_help_text = "MessageID or tracking ID"
    fields = (
        ("message_or_discovery", "carrier"),
        ("outcome_label", "try_number"),
        ("started_at", "finished_at"),
        ("http_status", "code"),
        ("text", "mmsc_id"),
        "request_size",
    )

    @display(description="started")
    def started(self, attempt: Attempt) -> SafeString:
        return timestamp(attempt.started_at)

    @display(description="message or discovery")
    def message_or_discovery(self, attempt: Attempt) -> SafeString:
        return link(attempt.message or attempt.discovery)

    @display(description="outcome")
    def outcome_label(self, attempt: Attempt) -> SafeString:
        return label(attempt.outcome or "unknown")

    @display(description="request size")
    def request_size(self, attempt: Attempt) -> str:
        return format_size(attempt.size)

    def found(self, term: str, *, exact: bool) -> Q:
        key = parse_tracking_id(term)
        return Q(message=key) if key is not None else _with_message_id(term)

    def tables(self, row: Attempt) -> Iterable[Table]:
        return (history.reports_table(row.reports.all()),)


def _with_message_id(term: str) -> Q:
    """Return the condition for a MessageID of any carrier. The indexes start with the carrier, so all are listed."""
    return Q(carrier__in=Carrier.objects.all(), mmsc_id=term)


@admin.register(Report)
class ReportAdmin(RecordAdmin):
    list_display = ("received", "carrier", "number", "status_label", "raw_status", "identity", "message_or_discovery")
    list_display_links = ("received",)
    list_select_related = ("carrier", "attempt__message", "attempt__discovery")
    list_filter = (MatchFilter, ("carrier", AutocompleteSelectFilter))
    search_fields = ("mmsc_id",)
    search_help_text = "MessageID or tracking ID"
    fields = (
        ("message_or_discovery", "carrier"),
        ("status_label", "raw_status"),
        ("number", "identity"),
        ("received_at", "reported_at"),
        ("mmsc_id", "text"),
        ("matches", "due_at"),
    )

    @display(description="received")
    def received(self, report: Report) -> SafeString:
        return timestamp(report.received_at)

    @display(description="status")
    def status_label(self, report: Report) -> SafeString:
        return label(report.status)

    @display(description="message or discovery")
    def message_or_discovery(self, report: Report) -> SafeString | str:
        attempt = report.attempt
        return link(attempt.message or attempt.discovery) if attempt else "unmatched"

    def found(self, term: str, *, exact: bool) -> Q:
        key = parse_tracking_id(term)
        return Q(attempt__message=key) if key is not None else _with_message_id(term)
