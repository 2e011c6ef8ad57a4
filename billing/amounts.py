"""Amounts of money: kept as whole micro-units (1,000,000 is 1.00), shown and typed as decimals."""

from decimal import Decimal
from typing import Any

from django import forms

UNIT = 1_000_000
DECIMALS = 6


def format_decimal(amount: int) -> str:
    """The amount with two decimals, or as many more as it has: 30,000 is 0.03, 5,000 is 0.005."""
    return _written(amount).replace(",", "")


def format_amount(amount: int, currency: str) -> str:
    """The amount for people, with its currency, as in 1,250.03 USD."""
    return f"{_written(amount)} {currency}"


def _written(amount: int) -> str:
    whole, part = divmod(abs(amount), UNIT)
    return f"{'-' if amount < 0 else ''}{whole:,}.{f'{part:06}'.rstrip('0'):0<2}"


class AmountField(forms.DecimalField):
    """A decimal in the form, micro-units in Python."""

    def __init__(self, *, min_value: int | None = None, max_value: int | None = None, **options: Any) -> None:
        """The limits are micro-units, as those of the column are."""
        super().__init__(
            min_value=None if min_value is None else Decimal(min_value) / UNIT,
            max_value=None if max_value is None else Decimal(max_value) / UNIT,
            decimal_places=DECIMALS,
            **options,
        )

    def prepare_value(self, value: Any) -> Any:
        return format_decimal(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        typed = super().clean(value)
        return None if typed is None else int(typed * UNIT)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.to_python(self.prepare_value(initial)), data)
