"""Accounts with their keys, sender addresses and services."""

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminPasswordToggleWidget

from billing import keys
from billing.models import Account, ApiKey, SenderAddress, Service, new_secret

ACCOUNT_COLOURS = {
    Account.Status.ACTIVE: "success",
    Account.Status.BLOCKED: "danger",
    Account.Status.BILLING_SUSPENDED: "warning",
}


class KeyInline(TabularInline):
    """Keys are issued and revoked, not edited."""

    model = ApiKey
    verbose_name_plural = "API keys"
    ordering = ("pk",)
    extra = 0
    per_page = 20
    fields = readonly_fields = ("prefix", "label", "created_at", "revoked_at")
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class SenderInline(TabularInline):
    model = SenderAddress
    ordering = ("country", "address")
    extra = 0
    hide_title = True
    per_page = 20


class ServiceInline(TabularInline):
    model = Service
    ordering = ("code",)
    extra = 0
    hide_title = True
    per_page = 20
    can_delete = False  # messages belong to it


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker alone
    signing_secret = forms.CharField(
        max_length=100,
        initial=new_secret,
        widget=UnfoldAdminPasswordToggleWidget(render_value=True),
        help_text="Signs the postbacks (X-MMS-Signature). The customer needs it to check them.",
    )


@admin.register(Account)
class AccountAdmin(ModelAdmin):
    form = AccountForm
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    list_display = ("name", "status_label", "api_access", "postback_url", "created_at")
    list_filter = ("status",)
    search_fields = ("name",)
    inlines = (KeyInline, SenderInline, ServiceInline)
    actions_detail = ("issue_key",)
    fieldsets = (
        (None, {"fields": (("name", "status"), "api_access")}),
        ("Postbacks", {"fields": ("postback_url", "signing_secret")}),
        (
            "Requests",
            {
                "fields": (
                    ("image_bytes_max", "audio_bytes_max"),
                    ("video_bytes_max", "object_bytes_max"),
                    "fallback_text_required",
                )
            },
        ),
    )

    @display(description="status", ordering="status", label=ACCOUNT_COLOURS)
    def status_label(self, account: Account) -> str:
        return account.status

    @action(description="Issue an API key", permissions=["issue"], icon="key")
    def issue_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        form = reverse("admin:billing_apikey_add")
        return HttpResponseRedirect(f"{form}?account={object_id}")

    def has_issue_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.add_apikey")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """An account is blocked, not deleted: its messages stay."""
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    list_display = ("__str__", "account", "label", "created_at", "revoked_at")
    list_select_related = ("account",)
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("prefix", "label", "account__name")
    autocomplete_fields = ("account",)
    actions = ("revoke",)
    add_fieldsets = ((None, {"fields": ("account", "label")}),)
    fields = ("account", "prefix", "label", "created_at", "revoked_at")

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return ("account", "prefix", "created_at", "revoked_at") if obj else ()

    def save_model(self, request: HttpRequest, obj: ApiKey, form: "forms.ModelForm[ApiKey]", change: bool) -> None:
        """Issues a new key, and shows it this once: only its hash is stored."""
        if change:
            super().save_model(request, obj, form, change)
            return
        key = keys.issue(obj.account, label=obj.label)
        obj.pk = ApiKey.objects.get(digest=keys.digest(key)).pk
        obj.refresh_from_db()
        text = "The new key of {}: <strong>{}</strong>. It is shown only now: hand it over at once."
        messages.warning(request, format_html(text, obj.account, key))

    @action(description="Revoke at once", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        revoked = queryset.filter(revoked_at=None).update(revoked_at=timezone.now())
        messages.success(request, f"Keys revoked: {revoked}.")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A key is revoked, not deleted: one can see later whose it was."""
        return False


@admin.register(SenderAddress)
class SenderAddressAdmin(ModelAdmin):
    list_display = ("address", "country", "account", "default")
    list_select_related = ("account",)
    list_filter = ("country", "default")
    search_fields = ("address", "account__name")
    autocomplete_fields = ("account",)
