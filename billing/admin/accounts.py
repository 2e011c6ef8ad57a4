"""Accounts: their settings, postbacks and money, and the lists of what belongs to them."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models, transaction
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
from billing import ledger, low_balance, signing
from billing.admin.account_inlines import KeyInline, SenderInline, ServiceInline
from billing.admin.amounts import OVERRIDES, AdjustmentForm, TopUpForm, read_only
from billing.amounts import format_amount
from billing.available import available_amount, first_of_month
from billing.models import Account, new_secret

STATEMENTS = 12  # months that the page of an account links to

ACCOUNT_COLOURS = {
    Account.Status.ACTIVE: "success",
    Account.Status.BLOCKED: "danger",
    Account.Status.BILLING_SUSPENDED: "warning",
}


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker alone
    signing_secret = forms.CharField(
        max_length=100,
        initial=new_secret,
        widget=UnfoldAdminPasswordToggleWidget(render_value=True),
        help_text="Signs the postbacks (X-MMS-Signature). The customer needs it to check them.",
    )
    previous_secret = forms.CharField(
        disabled=True,
        required=False,
        widget=UnfoldAdminPasswordToggleWidget(render_value=True),
        help_text="Signs them too, until it is dropped: once the customer checks with the new one.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Rotated, not edited: the customer who checks with the old one would be locked out.
        self.fields["signing_secret"].disabled = self.instance.pk is not None

    def clean_throughput(self) -> dict[str, int]:
        """However nothing is written, at which no validator looks."""
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
    formfield_overrides = OVERRIDES | COMPACT_WIDGETS | {models.URLField: {"assume_scheme": "https"}}
    list_display = ("name", "status_label", "api_access", "funds", "postback_url", "created_at")
    list_select_related = ("balance",)
    list_filter = ("status",)
    search_fields = ("name",)
    inlines = (KeyInline, SenderInline, ServiceInline)
    actions_detail = ("issue_key", "top_up", "adjust", "rotate_secret", "drop_secret")
    readonly_preprocess_fields = dict.fromkeys(("credit_limit", "spend_limit", "low_balance_at"), read_only)
    readonly_fields = ("funds", "held", "left", "statements")
    fieldsets = (
        (None, {"fields": (("name", "status"), "api_access")}),
        (
            "Postbacks",
            {"fields": (("postback_url", "mo_url"), "postback_dialect", ("signing_secret", "previous_secret"))},
        ),
        (
            "Requests",
            {
                "fields": (
                    ("image_bytes_max", "audio_bytes_max"),
                    ("video_bytes_max", "object_bytes_max"),
                    ("fallback_text_required", "service_required"),
                    "fallback_disabled",
                )
            },
        ),
        ("Calls", {"fields": ("allowed_networks", ("minimum_interval", "throughput"))}),
        (
            "Money",
            {
                "fields": (
                    ("billing", "currency"),
                    ("funds", "held", "left"),
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
        return account.status

    @display(description="postback URL")
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

    # --- money --------------------------------------------------------------------------------------------------

    def get_readonly_fields(self, request: HttpRequest, obj: Account | None = None) -> tuple[str, ...]:
        """The currency stays once something is booked: the books are in it."""
        return (*self.readonly_fields, "currency") if obj and obj.ledger.exists() else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Account, form: "forms.ModelForm[Account]", change: bool) -> None:
        super().save_model(request, obj, form, change)
        low_balance.rearm(obj, timezone.now())  # for its limits may be others now

    @display(description="balance")
    def funds(self, account: Account) -> str:
        return format_amount(account.balance.balance, account.currency) if hasattr(account, "balance") else "-"

    @display(description="reserved")
    def held(self, account: Account) -> str:
        return format_amount(account.balance.reserved, account.currency) if hasattr(account, "balance") else "-"

    @display(description="available")
    def left(self, account: Account) -> str:
        left = available_amount(account, timezone.now())
        return "-" if left is None else format_amount(left, account.currency)

    @display(description="statements")
    def statements(self, account: Account) -> SafeString:
        if account._state.adding:
            return SafeString("-")
        months = _months_before(first_of_month(timezone.now()), STATEMENTS)
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
            "description": "Lines of the ledger are never changed: this one puts right what another has wrong.",
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
        book: Callable[[Account, int, str, datetime], None],
    ) -> HttpResponse:
        account, amount = Account.objects.get(pk=object_id), form.cleaned_data["amount"]
        with transaction.atomic():  # both, or who is shown an error books it twice
            book(account, amount, form.cleaned_data["note"], timezone.now())
            # Who did it is for the operators' log; the note is the customer's to read.
            self.log_change(
                request, account, f"Booked {format_amount(amount, account.currency)}: {form.cleaned_data['note']}"
            )
        messages.success(request, f"Booked to {account}: {format_amount(amount, account.currency)}.")
        return HttpResponse(headers={"HX-Redirect": reverse("admin:billing_account_change", args=[object_id])})

    def has_book_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.add_ledgerentry")

    @action(
        description="New signing secret",
        permissions=["rotate"],
        icon="autorenew",
        dialog={
            "title": "New signing secret",
            "description": "Postbacks are signed with the new one and the old one, until you drop the old one.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Make a new one",
        },
    )
    def rotate_secret(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        signing.rotate(Account.objects.get(pk=object_id))
        return self._back_to(request, object_id, "There is a new signing secret: hand it to the customer.")

    @action(
        description="Drop the old signing secret",
        permissions=["drop"],
        icon="key_off",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Drop the old signing secret",
            "description": "A customer who still checks with it will refuse every postback.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Drop it",
        },
    )
    def drop_secret(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        signing.drop_previous(Account.objects.get(pk=object_id))
        return self._back_to(request, object_id, "The old signing secret is worth nothing any more.")

    def _back_to(self, request: HttpRequest, object_id: str, text: str) -> HttpResponse:
        messages.success(request, text)
        return HttpResponse(headers={"HX-Redirect": reverse("admin:billing_account_change", args=[object_id])})

    def has_rotate_permission(self, request: HttpRequest, object_id: str) -> bool:
        """Only while no older secret is valid."""
        return self._may_change(request) and Account.objects.filter(pk=object_id, previous_secret="").exists()

    def has_drop_permission(self, request: HttpRequest, object_id: str) -> bool:
        """Only while an older secret is valid."""
        rotated = Account.objects.filter(pk=object_id).exclude(previous_secret="")
        return self._may_change(request) and rotated.exists()

    def _may_change(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_account")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """An account is blocked, not deleted: its messages stay."""
        return False


def _months_before(newest: date, count: int) -> list[date]:
    """The months by their first days, the newest first."""
    ordinal = newest.year * 12 + newest.month - 1
    return [date((ordinal - back) // 12, (ordinal - back) % 12 + 1, 1) for back in range(count)]
