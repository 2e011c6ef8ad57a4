"""Discoveries: the DDM to a number, its report, and the messages that share it."""

from collections.abc import Iterable

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from mms.admin import search, stories
from mms.admin.audit import AuditAdmin
from mms.admin.filters import StatusFilter
from mms.admin.tables import Table, label
from mms.models import Discovery


@admin.register(Discovery)
class DiscoveryAdmin(AuditAdmin):
    list_display = ("__str__", "number", "account", "status_label", "created_at", "answered_at", "expires_at")
    list_select_related = ("account",)
    list_filter = (StatusFilter, ("account", AutocompleteSelectFilter), ("carrier", AutocompleteSelectFilter))
    search_fields = ("number",)
    search_help_text = "Number, account"
    fields = (
        ("number", "sender"),
        ("status_label", "tries"),
        ("account", "carrier"),
        ("created_at", "answered_at"),
        ("due_at", "expires_at"),
        "subject",
        "text",
    )

    @display(description="status")
    def status_label(self, discovery: Discovery) -> SafeString:
        return label(discovery.status)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Discovery], search_term: str
    ) -> tuple[QuerySet[Discovery], bool]:
        found = search.by_number(search_term, whole=not self.may_see(request))
        return (queryset.filter(found) if search_term else queryset), False

    def tables(self, row: Discovery) -> Iterable[Table]:
        return (stories.waiting(row), stories.attempts(row))
