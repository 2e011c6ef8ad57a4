"""Masking of numbers for operators without the right to see them, such as those of the Support role."""

from django.http import HttpRequest

# Up to this length it is a short code, which does not identify a person.
SHORT_CODE_MAX = 6


def may_see_numbers(request: HttpRequest) -> bool:
    """Return whether the operator may see unmasked numbers."""
    return request.user.has_perm("mms.see_numbers")


def mask_number(number: str) -> str:
    """Return the first 4 and the last 2 digits of the number; short codes are returned unchanged."""
    return number if len(number) <= SHORT_CODE_MAX else f"{number[:4]}\u2026{number[-2:]}"
