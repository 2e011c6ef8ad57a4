"""Masking of numbers for operators without the right to see them, such as those of the Support role.

A number shows its country code and its last two digits. At least six digits stay hidden, so that whoever may search for
whole numbers, some dozens an hour (number_searches.py), cannot find out the rest.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import phonenumbers
from django.http import HttpRequest
from phonenumbers import Leniency, PhoneNumberMatch, PhoneNumberMatcher, normalize_digits_only

from base import logs

# Up to this length it is a short code, which does not identify a person.
SHORT_CODE_MAX = 6
HIDDEN_MIN = 6
# German numbers have 4 to 15 digits. In a text from there, every national number of another country is possible, too.
ANY_LENGTH = "DE"
# Digits that the matcher leaves out, such as those in a longer word.
DIGITS = re.compile(rf"\d{{{SHORT_CODE_MAX + 1},}}")
# Groups of digits that follow each other, of which the matcher may find a part.
GROUPS = re.compile(r"\+?\(?\d(?:[\s().\-/~\u2010-\u2015\u2212\uff08\uff09\uff0d-\uff0f]{0,4}\+?\d)*")
DATE = re.compile(r"[12]\d{3}-[01]\d-[0-3]\d")


def may_see_numbers(request: HttpRequest) -> bool:
    """Return whether the operator may see unmasked numbers."""
    return request.user.has_perm("mms.see_numbers")


def mask_number(number: str) -> str:
    """Return the country code and the last two digits of the number; short codes are returned unchanged."""
    if len(number) <= SHORT_CODE_MAX:
        return number
    code, last = _country_code(number), number[-2:]
    return f"{code}\u2026{last}" if len(number) - len(code) - len(last) >= HIDDEN_MIN else "\u2026"


def _country_code(number: str) -> str:
    """Return the country code of a number in international format, or "" if it cannot be one."""
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return ""
    return str(parsed.country_code) if phonenumbers.is_possible_number(parsed) else ""


def mask_text(text: str) -> str:
    """Return the text with its numbers, in any notation, and the secrets of its URLs masked."""
    text = logs.mask_secrets(text)
    numbers = list(_numbers(text))
    masked = GROUPS.sub(partial(_mask_groups, numbers), text) if numbers else text
    return DIGITS.sub(lambda run: _mask(run[0]), masked)


def _numbers(text: str) -> Iterator[PhoneNumberMatch]:
    if sum(map(str.isdigit, text)) <= SHORT_CODE_MAX:
        return
    for found in PhoneNumberMatcher(text, ANY_LENGTH, leniency=Leniency.POSSIBLE):
        if len(normalize_digits_only(found.raw_string)) > SHORT_CODE_MAX and not DATE.fullmatch(found.raw_string):
            yield found


def _mask_groups(numbers: Sequence[PhoneNumberMatch], groups: re.Match[str]) -> str:
    """Return groups of digits with each number in them masked, and nothing of digits that may belong to one."""
    inside = [each for each in numbers if each.start < groups.end() and each.end > groups.start()]
    return " ".join(_mask(each.raw_string) for each in inside) or groups[0]


def _mask(notation: str) -> str:
    return mask_number(normalize_digits_only(notation))


def text_mask(request: HttpRequest) -> Callable[[str], str]:
    """Return the function that masks texts for this operator. Nobody sees the secrets of URLs."""
    return logs.mask_secrets if may_see_numbers(request) else mask_text
