"""The admin of API keys: issue, label, limit and revoke them."""

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from billing import keys
from billing.actions import Action
from billing.models import ApiKey


class KeyForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker alone
    allowed_actions = forms.MultipleChoiceField(
        choices=Action.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=ApiKey._meta.get_field("allowed_actions").help_text,
    )


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    form = KeyForm
    list_display = ("__str__", "account", "label", "created_at", "last_used_at", "revoked_at")
    list_select_related = ("account",)
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("prefix", "label", "account__name")
    autocomplete_fields = ("account",)
    actions = ("revoke",)
    add_fieldsets = ((None, {"fields": ("account", "label", "allowed_actions")}),)
    fields = ("account", "prefix", "label", "allowed_actions", "created_at", "last_used_at", "revoked_at")

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return ("account", "prefix", "created_at", "last_used_at", "revoked_at") if obj else ()

    def save_model(self, request: HttpRequest, obj: ApiKey, form: "forms.ModelForm[ApiKey]", change: bool) -> None:
        """Issue a new key and show it once; only its hash is stored."""
        if change:
            super().save_model(request, obj, form, change)
            return
        key = keys.issue(obj.account, label=obj.label, actions=obj.allowed_actions)
        obj.pk = ApiKey.objects.get(digest=keys.digest(key)).pk
        obj.refresh_from_db()
        text = "The new API key of {}: <strong>{}</strong>. Copy it now: it is not shown again."
        messages.warning(request, format_html(text, obj.account, key))

    @action(description="Revoke selected API keys", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        revoked = queryset.filter(revoked_at=None).update(revoked_at=timezone.now())
        messages.success(request, f"API keys revoked: {revoked}.")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: a key is revoked instead, and its row still names the account."""
        return False
