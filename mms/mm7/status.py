"""The MMSC's word on what became of a message: the MMStatus of a delivery report."""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class MMStatus(StrEnum):
    """MM Status of 3GPP TS 23.140, 8.7.7 (spelled as there), and what MMSCs say beyond it."""

    EXPIRED = "Expired"
    RETRIEVED = "Retrieved"
    REJECTED = "Rejected"
    INDETERMINATE = "Indeterminate"
    FORWARDED = "Forwarded"
    DEFERRED = "Deferred"
    UNREACHABLE = "Unreachable"
    UNRECOGNISED = "Unrecognised"
    NOT_SUPPORTED = "Not Supported"
    CONDITION_NOT_MET = "Delivery condition not met"
    UNKNOWN = "Unknown"

    @property
    def is_final(self) -> bool:
        """Whether no later report is expected to change it."""
        return self in FINAL


# Indeterminate is not final: it means that the MMSC lost sight of the message (a handset without reports,
# another network), and a handset that does report may still follow.
FINAL: Final = frozenset(
    {
        MMStatus.EXPIRED,
        MMStatus.RETRIEVED,
        MMStatus.REJECTED,
        MMStatus.UNREACHABLE,
        MMStatus.UNRECOGNISED,
        MMStatus.NOT_SUPPORTED,
        MMStatus.CONDITION_NOT_MET,
    }
)


def _letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


_BY_LETTERS: Final = {_letters(status): status for status in MMStatus} | {
    "unrecognized": MMStatus.UNRECOGNISED,
    "conditionnotmet": MMStatus.CONDITION_NOT_MET,
}

NO_NUMBERS: Final[Mapping[str, MMStatus]] = MappingProxyType({})


def read_status(text: str, numbers: Mapping[str, MMStatus] = NO_NUMBERS) -> MMStatus:
    """The status that a report names, in any case and spacing; UNKNOWN when it is none that we know.

    `numbers` is the carrier's own table, for those that report numbers or words of their own; it goes first.
    """
    stripped = text.strip()
    return numbers.get(stripped) or _BY_LETTERS.get(_letters(stripped), MMStatus.UNKNOWN)
