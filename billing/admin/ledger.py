"""The admin of the ledger: read-only. Top-ups and adjustments are booked on an account's page."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter
from unfold.decorators import display

from base.admin_pages import ReadOnlyAdmin
from billing.amounts import format_amount
from billing.models import LedgerEntry

KIND_COLOURS = {
    LedgerEntry.Kind.TOP_UP.label: "success",
    LedgerEntry.Kind.RESERVE.label: "info",
    LedgerEntry.Kind.CHARGE.label: "primary",
    LedgerEntry.Kind.REFUND.label: "warning",
    LedgerEntry.Kind.ADJUSTMENT.label: "warning",
}


class ManualFilter(DropdownFilter):
    """Top-ups and adjustments, found by their partial index."""

    title = "booking"
    parameter_name = "booked"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Model]") -> list[tuple[str, str]]:
        return [("by-hand", "Top-ups and adjustments")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        return queryset.filter(message__isnull=True) if self.value() else queryset


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "account", "kind_label", "balance", "reserved", "message", "note")
    list_select_related = ("account",)
    list_filter = (("account", AutocompleteSelectFilter), ManualFilter)
    fields = (("account", "kind_label"), ("balance", "reserved"), ("message", "created_at"), "note")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Sort newest first. The list of one account uses the index of account and time."""
        of_account = "account__id__exact" in request.GET and "booked" not in request.GET
        return ("-created_at", "-pk") if of_account else ("-pk",)

    @display(description="kind", label=KIND_COLOURS)
    def kind_label(self, entry: LedgerEntry) -> str:
        return entry.get_kind_display()

    @display(description="balance change")
    def balance(self, entry: LedgerEntry) -> str:
        return format_amount(entry.balance_change, entry.account.currency) if entry.balance_change else "-"

    @display(description="reserved change")
    def reserved(self, entry: LedgerEntry) -> str:
        return format_amount(entry.reserved_change, entry.account.currency) if entry.reserved_change else "-"
