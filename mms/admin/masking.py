"""Whole numbers are for those who may see them; the others, such as support, see how they begin and end."""

from django.http import HttpRequest

# Short codes are no one's number.
SHORT = 6


def may_see(request: HttpRequest) -> bool:
    return request.user.has_perm("mms.see_numbers")


def masked(number: str) -> str:
    """Enough of the number to recognise it by."""
    return number if len(number) <= SHORT else f"{number[:4]}\u2026{number[-2:]}"
