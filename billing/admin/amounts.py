"""How amounts of money stand in the console's forms: decimals to people, micro-units below."""

from typing import Any

from django import forms
from django.db import models
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from billing.amounts import UNIT, AmountField, format_decimal

# As large as a limit or a price may be: what is added up with it stays within the columns.
LARGEST = 1_000_000_000_000 * UNIT
# Every column of this type in the forms of this app is an amount.
OVERRIDES: "dict[type[models.Field[Any, Any]], dict[str, Any]]" = {
    models.PositiveBigIntegerField: {
        "form_class": AmountField,
        "max_value": LARGEST,
        "widget": UnfoldAdminDecimalFieldWidget,
    }
}
# What an operator may book at once: enough for any invoice, and a slip of the keys stays a number.
MOST = 10_000_000 * UNIT


def read_only(contents: str) -> str:
    """What stands in place of a form's field for those who may not change it; an empty one stays as it is."""
    return format_decimal(int(contents)) if contents.isdigit() else contents


class _BookingForm(BaseDialogForm):
    note = forms.CharField(
        max_length=200, widget=UnfoldAdminTextInputWidget, help_text="The customer reads it in the statement."
    )


class TopUpForm(_BookingForm):
    amount = AmountField(
        min_value=1, max_value=MOST, widget=UnfoldAdminDecimalFieldWidget, help_text="In the account's currency."
    )
    field_order = ("amount", "note")


class AdjustmentForm(_BookingForm):
    amount = AmountField(
        min_value=-MOST,
        max_value=MOST,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="In the account's currency; with a minus: taken away.",
    )
    field_order = ("amount", "note")

    def clean_amount(self) -> int:
        amount: int = self.cleaned_data["amount"]
        if not amount:
            raise forms.ValidationError("An adjustment of nothing changes nothing.")
        return amount
