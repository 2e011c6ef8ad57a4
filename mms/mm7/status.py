"""The MMSC's word on what became of a message: the MMStatus of a delivery report."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mms.protocol.reports import ReportStatus


def _letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


_BY_LETTERS: Final = {_letters(status): status for status in ReportStatus} | {
    "unrecognized": ReportStatus.UNRECOGNISED,
    "conditionnotmet": ReportStatus.CONDITION_NOT_MET,
}

NO_OVERRIDES: Final[Mapping[str, ReportStatus]] = MappingProxyType({})


def read_status(text: str, numbers: Mapping[str, ReportStatus] = NO_OVERRIDES) -> ReportStatus:
    """The status that a report names, in any case and spacing; UNKNOWN when it is none that we know.

    `numbers` is the carrier's own table, for those that report numbers or words of their own; it goes first.
    """
    stripped = text.strip()
    return numbers.get(stripped) or _BY_LETTERS.get(_letters(stripped), ReportStatus.UNKNOWN)
