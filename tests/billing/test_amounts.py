"""Formatting and parsing of amounts."""

import pytest
from django.core.exceptions import ValidationError

from billing.amounts import AmountField, format_amount, format_decimal

AMOUNTS = [
    (0, "0.00"),
    (1, "0.000001"),
    (5_000, "0.005"),
    (30_000, "0.03"),
    (1_000_000, "1.00"),
    (12_500_000, "12.50"),
    (-30_000, "-0.03"),
    (-1_000_001, "-1.000001"),
    (9_223_372_036_854_775_807, "9223372036854.775807"),
]


@pytest.mark.parametrize(("amount", "text"), AMOUNTS)
def test_amount_is_formatted_exactly_and_parsed_back(amount: int, text: str) -> None:
    assert format_decimal(amount) == text
    assert AmountField().prepare_value(amount) == text
    assert AmountField().clean(text) == amount
    assert not AmountField().has_changed(amount, text)


def test_amount_is_formatted_with_its_currency() -> None:
    assert format_amount(30_000, "EUR") == "0.03 EUR"
    assert format_amount(-1_234_567_890_000, "JPY") == "-1,234,567.89 JPY"


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("much", "Enter a number."),
        ("NaN", "Enter a number."),
        ("0.0000001", "no more than 6 decimal places"),
        ("-0.01", "greater than or equal to 0"),
        ("2.01", "less than or equal to 2"),
        ("", "This field is required."),
    ],
)
def test_invalid_amount_is_refused(typed: str, error: str) -> None:
    with pytest.raises(ValidationError, match=error):
        AmountField(min_value=0, max_value=2_000_000).clean(typed)


def test_empty_optional_amount_is_none() -> None:
    field = AmountField(required=False)
    assert field.clean("") is None
    assert not field.has_changed(None, "")
    assert field.has_changed(0, "")
