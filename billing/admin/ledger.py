"""The ledger: read, never written here but by the top-ups and adjustments of an account's page."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter
from unfold.decorators import display

from base.admin_pages import ReadOnlyAdmin
from billing.amounts import format_amount
from billing.models import LedgerEntry

KIND_COLOURS = {
    LedgerEntry.Kind.TOP_UP: "success",
    LedgerEntry.Kind.RESERVE: "info",
    LedgerEntry.Kind.CHARGE: "primary",
    LedgerEntry.Kind.REFUND: "warning",
    LedgerEntry.Kind.ADJUSTMENT: "warning",
}


class ByHandFilter(DropdownFilter):
    """Top-ups and adjustments have an index of their own: they are few among the lines of messages."""

    title = "booked"
    parameter_name = "booked"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Model]") -> list[tuple[str, str]]:
        return [("by-hand", "by hand: top-ups, adjustments")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        return queryset.filter(message__isnull=True) if self.value() else queryset


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "account", "kind_label", "balance", "reserved", "message", "note")
    list_select_related = ("account",)
    list_filter = (("account", AutocompleteSelectFilter), ByHandFilter)
    fields = (("account", "kind_label"), ("balance", "reserved"), ("message", "created_at"), "note")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Newest first, by the index of one account where the list is of one."""
        of_account = "account__id__exact" in request.GET and "booked" not in request.GET
        return ("-created_at", "-pk") if of_account else ("-pk",)

    @display(description="kind", label=KIND_COLOURS)
    def kind_label(self, entry: LedgerEntry) -> str:
        return entry.kind

    @display(description="to the balance")
    def balance(self, entry: LedgerEntry) -> str:
        return format_amount(entry.balance_change, entry.account.currency) if entry.balance_change else "-"

    @display(description="to what is reserved")
    def reserved(self, entry: LedgerEntry) -> str:
        return format_amount(entry.reserved_change, entry.account.currency) if entry.reserved_change else "-"
