"""The admin of prices."""

from django.contrib import admin
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from billing.admin.amounts import OVERRIDES, format_read_only
from billing.amounts import format_amount, format_decimal
from billing.models import Price


@admin.register(Price)
class PriceAdmin(ModelAdmin):
    formfield_overrides = OVERRIDES
    readonly_preprocess_fields = {"amount": format_read_only}
    list_display = ("message_class", "account_name", "country_name", "operator", "price")
    list_select_related = ("account",)
    list_filter = ("message_class", ("account", AutocompleteSelectFilter))
    list_filter_submit = True
    ordering = ("message_class", "account", "country", "operator_id")
    autocomplete_fields = ("account",)
    fields = (("message_class", "amount"), "account", ("country", "operator_id"))

    @display(description="account", ordering="account__name")
    def account_name(self, price: Price) -> str:
        return str(price.account or "All accounts")

    @display(description="country", ordering="country")
    def country_name(self, price: Price) -> str:
        return price.country or "All countries"

    @display(description="operator ID", ordering="operator_id")
    def operator(self, price: Price) -> str:
        return str(price.operator_id or "All operators")

    @display(description="price", ordering="amount")
    def price(self, price: Price) -> str:
        return format_amount(price.amount, price.account.currency) if price.account else format_decimal(price.amount)
