"""What went to MMSCs and what came back."""

from collections.abc import Iterable

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from mms.admin import stories
from mms.admin.audit import AuditAdmin
from mms.admin.filters import MatchFilter
from mms.admin.tables import Table, bytes_of, label, link, moment
from mms.models import Attempt, Carrier, Report
from mms.models.tracking_ids import parse_tracking_id


@admin.register(Attempt)
class AttemptAdmin(AuditAdmin):
    list_display = ("began", "of", "carrier", "try_number", "outcome_label", "code", "text", "mmsc_id")
    list_display_links = ("began",)
    list_select_related = ("carrier", "message", "discovery")
    list_filter = (("carrier", AutocompleteSelectFilter),)
    search_fields = ("mmsc_id",)
    search_help_text = "MessageID, tracking id"
    fields = (
        ("of", "carrier"),
        ("outcome_label", "try_number"),
        ("started_at", "finished_at"),
        ("code", "text"),
        ("mmsc_id", "request_size"),
    )

    @display(description="began")
    def began(self, attempt: Attempt) -> SafeString:
        return moment(attempt.started_at)

    @display(description="sent")
    def of(self, attempt: Attempt) -> SafeString:
        return link(attempt.message or attempt.discovery)

    @display(description="outcome")
    def outcome_label(self, attempt: Attempt) -> SafeString:
        return label(attempt.outcome or "unknown")

    @display(description="size of the request")
    def request_size(self, attempt: Attempt) -> str:
        return bytes_of(attempt.size)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Attempt], search_term: str
    ) -> tuple[QuerySet[Attempt], bool]:
        return (queryset.filter(_attempts(search_term)) if search_term else queryset), False

    def tables(self, row: Attempt) -> Iterable[Table]:
        return (stories.reports(row.reports.all()),)


def _attempts(term: str) -> Q:
    key = parse_tracking_id(term.strip())
    return Q(message=key) if key is not None else _with_message_id(term)


def _with_message_id(term: str) -> Q:
    """By MessageID, among every carrier's: the indexes begin with the carrier, and there are few of those."""
    return Q(carrier__in=Carrier.objects.all(), mmsc_id=term.strip())


@admin.register(Report)
class ReportAdmin(AuditAdmin):
    list_display = ("received", "carrier", "number", "status_label", "raw_status", "identity", "sent")
    list_display_links = ("received",)
    list_select_related = ("carrier", "attempt__message", "attempt__discovery")
    list_filter = (MatchFilter, ("carrier", AutocompleteSelectFilter))
    search_fields = ("mmsc_id",)
    search_help_text = "MessageID, tracking id"
    fields = (
        ("sent", "carrier"),
        ("status_label", "raw_status"),
        ("number", "identity"),
        ("received_at", "reported_at"),
        ("mmsc_id", "text"),
        ("matches", "due_at"),
    )

    @display(description="received")
    def received(self, report: Report) -> SafeString:
        return moment(report.received_at)

    @display(description="status")
    def status_label(self, report: Report) -> SafeString:
        return label(report.status)

    @display(description="of")
    def sent(self, report: Report) -> SafeString | str:
        attempt = report.attempt
        return link(attempt.message or attempt.discovery) if attempt else "unmatched"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Report], search_term: str
    ) -> tuple[QuerySet[Report], bool]:
        return (queryset.filter(_reports(search_term)) if search_term else queryset), False


def _reports(term: str) -> Q:
    key = parse_tracking_id(term.strip())
    return Q(attempt__message=key) if key is not None else _with_message_id(term)
