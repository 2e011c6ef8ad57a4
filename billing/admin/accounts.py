"""The admin of accounts: settings, postbacks, limits and money."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminPasswordToggleWidget

from base import logs
from base.admin_pages import MaskingAdmin
from base.widgets import COMPACT_WIDGETS
from billing import ledger, low_balance, secret_rotation
from billing.admin.account_inlines import KeyInline, SenderInline, ServiceInline
from billing.admin.amounts import OVERRIDES, AdjustmentForm, TopUpForm, format_read_only
from billing.amounts import format_amount
from billing.available import available_amount, first_of_month
from billing.models import Account, new_secret

STATEMENTS = 12  # how many months the page of an account links to

ACCOUNT_COLOURS = {
    Account.Status.ACTIVE.label: "success",
    Account.Status.BLOCKED.label: "danger",
    Account.Status.BILLING_SUSPENDED.label: "warning",
}


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker alone
    signing_secret = forms.CharField(
        max_length=100,
        initial=new_secret,
        widget=UnfoldAdminPasswordToggleWidget(render_value=True),
        help_text="Signs postbacks (X-MMS-Signature). The customer needs it to verify them.",
    )
    previous_secret = forms.CharField(
        disabled=True,
        required=False,
        widget=UnfoldAdminPasswordToggleWidget(render_value=True),
        help_text="Also signs postbacks. Drop it once the customer verifies with the new secret.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Secrets are rotated, not edited: an edit would lock out a customer who still checks with the old one.
        self.fields["signing_secret"].disabled = self.instance.pk is not None

    def clean_throughput(self) -> dict[str, int]:
        """Turn any empty value into an empty object. Django does not run validators on empty values."""
        limits: dict[str, int] = self.cleaned_data["throughput"] or {}
        return limits


@admin.register(Account)
class AccountAdmin(MaskingAdmin):
    form = AccountForm
    replacements = {
        "signing_secret": "",
        "previous_secret": "",
        "postback_url": "masked_postback_url",
        "mo_url": "masked_mo_url",
    }
    list_replacements = {"postback_url": "masked_postback_url"}
    formfield_overrides = OVERRIDES | COMPACT_WIDGETS
    list_display = ("name", "status_label", "api_access", "balance_amount", "postback_url", "created_at")
    list_select_related = ("balance",)
    list_filter = ("status",)
    search_fields = ("name",)
    inlines = (KeyInline, SenderInline, ServiceInline)
    actions_detail = ("issue_key", "top_up", "adjust", "rotate_secret", "drop_secret")
    readonly_preprocess_fields = dict.fromkeys(("credit_limit", "spend_limit", "low_balance_at"), format_read_only)
    readonly_fields = ("balance_amount", "reserved_amount", "available", "statements")
    fieldsets = (
        (None, {"fields": (("name", "status"), "api_access")}),
        (
            "Postbacks",
            {"fields": (("postback_url", "mo_url"), "postback_dialect", ("signing_secret", "previous_secret"))},
        ),
        (
            "Requests and content",
            {
                "fields": (
                    ("image_bytes_max", "audio_bytes_max"),
                    ("video_bytes_max", "object_bytes_max"),
                    ("fallback_text_required", "service_required"),
                    ("fallback_disabled", "skycore_text_xml"),
                    "report_left_out",
                )
            },
        ),
        ("API limits", {"fields": ("allowed_networks", ("minimum_interval", "throughput"))}),
        (
            "Billing",
            {
                "fields": (
                    ("billing", "currency"),
                    ("balance_amount", "reserved_amount", "available"),
                    ("credit_limit", "spend_limit"),
                    ("low_balance_at", "billing_email", "low_balance_postback"),
                    "refund_undelivered",
                    "statements",
                )
            },
        ),
    )

    def may_see(self, request: HttpRequest) -> bool:
        return self._may_change(request)

    @display(description="status", ordering="status", label=ACCOUNT_COLOURS)
    def status_label(self, account: Account) -> str:
        return account.get_status_display()

    @display(description="postback URL", ordering="postback_url")
    def masked_postback_url(self, account: Account) -> str:
        return logs.mask(account.postback_url) or "-"

    @display(description="MO URL")
    def masked_mo_url(self, account: Account) -> str:
        return logs.mask(account.mo_url) or "-"

    @action(description="Issue an API key", permissions=["issue"], icon="key")
    def issue_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        form = reverse("admin:billing_apikey_add")
        return HttpResponseRedirect(f"{form}?account={object_id}")

    def has_issue_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.add_apikey")

    def get_readonly_fields(self, request: HttpRequest, obj: Account | None = None) -> tuple[str, ...]:
        """Make the currency read-only once the account has bookings, which are in that currency."""
        return (*self.readonly_fields, "currency") if obj and obj.ledger.exists() else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Account, form: "forms.ModelForm[Account]", change: bool) -> None:
        super().save_model(request, obj, form, change)
        low_balance.rearm(obj, timezone.now())  # the limits may have changed

    @display(description="balance")
    def balance_amount(self, account: Account) -> str:
        return format_amount(account.balance.balance, account.currency) if hasattr(account, "balance") else "-"

    @display(description="reserved")
    def reserved_amount(self, account: Account) -> str:
        return format_amount(account.balance.reserved, account.currency) if hasattr(account, "balance") else "-"

    @display(description="available")
    def available(self, account: Account) -> str:
        amount = available_amount(account, timezone.now())
        return "-" if amount is None else format_amount(amount, account.currency)

    @display(description="statements")
    def statements(self, account: Account) -> SafeString:
        if account._state.adding:
            return SafeString("-")
        months = _last_months(first_of_month(timezone.now()), STATEMENTS)
        since = first_of_month(account.created_at)
        links = ((reverse("statement", args=[account.pk, f"{m:%Y-%m}"]), f"{m:%Y-%m}") for m in months if m >= since)
        return format_html_join(" ", '<a class="text-link" href="{}">{}</a>', links)

    @action(
        description="Top up",
        permissions=["book"],
        icon="add_card",
        dialog={"title": "Top up", "form_class": TopUpForm, "form_submit_text": "Top up"},
    )
    def top_up(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._book(request, form, object_id, ledger.top_up)

    @action(
        description="Adjust",
        permissions=["book"],
        icon="balance",
        dialog={
            "title": "Adjust the balance",
            "description": "Ledger entries are never changed. An adjustment adds an entry that corrects others.",
            "form_class": AdjustmentForm,
            "form_submit_text": "Adjust",
        },
    )
    def adjust(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._book(request, form, object_id, ledger.adjust)

    def _book(
        self,
        request: HttpRequest,
        form: BaseDialogForm,
        object_id: str,
        book: Callable[[Account, int, str, datetime, UUID | None], bool],
    ) -> HttpResponse:
        account, note = Account.objects.get(pk=object_id), form.cleaned_data["note"]
        amount = format_amount(form.cleaned_data["amount"], account.currency)
        with transaction.atomic():  # both, or who is shown an error books it twice
            booked = book(account, form.cleaned_data["amount"], note, timezone.now(), form.cleaned_data["form"])
            if booked:
                # Who did it is for the operators' log; the note is the customer's to read.
                self.log_change(request, account, f"Booked {amount}: {note}")
        if booked:
            messages.success(request, f"Booked to {account}: {amount}.")
        else:
            messages.warning(request, "This form was sent before, and nothing was added: see the ledger.")
        return HttpResponse(headers={"HX-Redirect": reverse("admin:billing_account_change", args=[object_id])})

    def has_book_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.add_ledgerentry")

    @action(
        description="New signing secret",
        permissions=["rotate"],
        icon="autorenew",
        dialog={
            "title": "New signing secret",
            "description": "Postbacks are signed with both the new and the old secret until you drop the old one.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Create secret",
        },
    )
    def rotate_secret(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        secret_rotation.rotate(Account.objects.get(pk=object_id))
        return self._redirect(request, object_id, "A new signing secret was created. Give it to the customer.")

    @action(
        description="Drop the old signing secret",
        permissions=["drop"],
        icon="key_off",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Drop the old signing secret",
            "description": "A customer who still verifies with the old secret will reject every postback.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Drop secret",
        },
    )
    def drop_secret(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        secret_rotation.drop_previous(Account.objects.get(pk=object_id))
        return self._redirect(request, object_id, "The old signing secret is no longer valid.")

    def _redirect(self, request: HttpRequest, object_id: str, text: str) -> HttpResponse:
        messages.success(request, text)
        return HttpResponse(headers={"HX-Redirect": reverse("admin:billing_account_change", args=[object_id])})

    def has_rotate_permission(self, request: HttpRequest, object_id: str) -> bool:
        """Allow it only while no previous secret is valid."""
        return self._may_change(request) and Account.objects.filter(pk=object_id, previous_secret="").exists()

    def has_drop_permission(self, request: HttpRequest, object_id: str) -> bool:
        """Allow it only while a previous secret is valid."""
        rotated = Account.objects.filter(pk=object_id).exclude(previous_secret="")
        return self._may_change(request) and rotated.exists()

    def _may_change(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_account")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: an account is blocked instead, and its messages stay."""
        return False


def _last_months(newest: date, count: int) -> list[date]:
    """Return the first days of `count` months up to the newest, newest first."""
    ordinal = newest.year * 12 + newest.month - 1
    return [date((ordinal - back) // 12, (ordinal - back) % 12 + 1, 1) for back in range(count)]
