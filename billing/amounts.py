"""Amounts of money: stored as integer micro-units (1,000,000 is 1.00), entered and displayed as decimals."""

from decimal import Decimal
from typing import Any

from django import forms

UNIT = 1_000_000
DECIMALS = 6


def format_decimal(amount: int) -> str:
    """Return the amount with at least two decimal places and no separators: 30,000 gives 0.03, 5,000 gives 0.005."""
    return _with_separators(amount).replace(",", "")


def format_amount(amount: int, currency: str) -> str:
    """Return the amount with thousands separators and its currency, such as 1,250.03 USD."""
    return f"{_with_separators(amount)} {currency}"


def _with_separators(amount: int) -> str:
    whole, part = divmod(abs(amount), UNIT)
    return f"{'-' if amount < 0 else ''}{whole:,}.{f'{part:06}'.rstrip('0'):0<2}"


class AmountField(forms.DecimalField):
    """A form field that shows a decimal and returns micro-units."""

    def __init__(self, *, min_value: int | None = None, max_value: int | None = None, **options: Any) -> None:
        """Take the limits in micro-units, as the model field has them."""
        super().__init__(
            min_value=None if min_value is None else Decimal(min_value) / UNIT,
            max_value=None if max_value is None else Decimal(max_value) / UNIT,
            decimal_places=DECIMALS,
            **options,
        )

    def prepare_value(self, value: Any) -> Any:
        return format_decimal(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        amount = super().clean(value)
        return None if amount is None else int(amount * UNIT)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.to_python(self.prepare_value(initial)), data)
