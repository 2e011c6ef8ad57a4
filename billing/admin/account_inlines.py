"""Inlines of an account's page: API keys, sender addresses and services."""

from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import TabularInline

from base.widgets import COMPACT_WIDGETS
from billing.models import ApiKey, SenderAddress, Service


class KeyInline(TabularInline):
    """The account's API keys, read-only: keys are issued and revoked, not edited."""

    model = ApiKey
    ordering = ("pk",)
    extra = 0
    hide_title = True
    per_page = 20
    fields = readonly_fields = ("prefix", "label", "created_at", "last_used_at", "revoked_at")
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class SenderInline(TabularInline):
    """The account's sender addresses."""

    model = SenderAddress
    formfield_overrides = COMPACT_WIDGETS
    ordering = ("country", "address")
    extra = 0
    hide_title = True
    per_page = 20


class ServiceInline(TabularInline):
    """The account's services."""

    model = Service
    ordering = ("code",)
    extra = 0
    hide_title = True
    per_page = 20
    can_delete = False  # messages refer to them
