"""Amounts of money in admin forms: operators see decimals, the database stores micro-units."""

from typing import Any
from uuid import uuid4

from django import forms
from django.db import models
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from billing.amounts import UNIT, AmountField, format_decimal

# The largest limit or price. Sums with it stay within the range of a bigint.
MAX_AMOUNT = 1_000_000_000_000 * UNIT
# Every field of this type in the forms of this app is an amount.
OVERRIDES: "dict[type[models.Field[Any, Any]], dict[str, Any]]" = {
    models.PositiveBigIntegerField: {
        "form_class": AmountField,
        "max_value": MAX_AMOUNT,
        "widget": UnfoldAdminDecimalFieldWidget,
    }
}
# The largest single booking: enough for any invoice, small enough to catch a typing error.
MAX_BOOKING = 10_000_000 * UNIT


def format_read_only(contents: str) -> str:
    """Return the amount of a read-only field as a decimal; other contents are returned unchanged."""
    return format_decimal(int(contents)) if contents.isdigit() else contents


class _BookingForm(BaseDialogForm):
    # Identifies this form, so that it is booked once however often it is sent.
    form = forms.UUIDField(initial=uuid4, required=False, widget=forms.HiddenInput)
    note = forms.CharField(
        max_length=200, widget=UnfoldAdminTextInputWidget, help_text="The customer sees it on the statement."
    )


class TopUpForm(_BookingForm):
    amount = AmountField(
        min_value=1, max_value=MAX_BOOKING, widget=UnfoldAdminDecimalFieldWidget, help_text="In the account's currency."
    )
    field_order = ("amount", "note", "form")


class AdjustmentForm(_BookingForm):
    amount = AmountField(
        min_value=-MAX_BOOKING,
        max_value=MAX_BOOKING,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="In the account's currency. A negative amount reduces the balance.",
    )
    field_order = ("amount", "note", "form")

    def clean_amount(self) -> int:
        amount: int = self.cleaned_data["amount"]
        if not amount:
            raise forms.ValidationError("The amount must not be zero.")
        return amount
