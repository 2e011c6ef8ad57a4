"""The admin of sender addresses and blocked numbers."""

from django.contrib import admin
from unfold.admin import ModelAdmin
from unfold.decorators import display

from base.widgets import COMPACT_WIDGETS
from billing.models import BlockedNumber, SenderAddress


@admin.register(SenderAddress)
class SenderAddressAdmin(ModelAdmin):
    formfield_overrides = COMPACT_WIDGETS
    list_display = ("address", "country", "account_name", "default")
    list_select_related = ("account",)
    list_filter = ("country", "default")
    search_fields = ("address", "account__name")
    autocomplete_fields = ("account",)

    @display(description="account", ordering="account__name")
    def account_name(self, sender: SenderAddress) -> str:
        return str(sender.account or "Platform")


@admin.register(BlockedNumber)
class BlockedNumberAdmin(ModelAdmin):
    list_display = ("number", "account_name", "note", "created_at")
    list_select_related = ("account",)
    list_filter = (("account", admin.EmptyFieldListFilter),)
    search_fields = ("number", "note", "account__name")
    autocomplete_fields = ("account",)

    @display(description="account", ordering="account__name")
    def account_name(self, blocked: BlockedNumber) -> str:
        return str(blocked.account or "All accounts")
