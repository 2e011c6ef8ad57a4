"""The admin of discoveries, with the submit attempts of their DDMs and the messages that share them."""

from collections.abc import Iterable

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from mms.admin import history, search
from mms.admin.filters import StatusFilter
from mms.admin.records import RecordAdmin
from mms.admin.tables import Table, label
from mms.models import Discovery


@admin.register(Discovery)
class DiscoveryAdmin(RecordAdmin):
    list_display = ("__str__", "number", "account", "status_label", "created_at", "answered_at", "expires_at")
    list_select_related = ("account",)
    list_filter = (StatusFilter, ("account", AutocompleteSelectFilter), ("carrier", AutocompleteSelectFilter))
    search_fields = ("number",)
    search_help_text = "Number or account"
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

    def found(self, term: str, *, exact: bool) -> Q:
        return search.by_number(term, exact=exact)

    def tables(self, row: Discovery) -> Iterable[Table]:
        return (history.messages_table(row), history.attempts_table(row))
