"""Delivery reports and their statuses, independent of the carrier's protocol."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class ReportStatus(StrEnum):
    """The MM Status values of 3GPP TS 23.140, 8.7.7, in its spelling, and further ones that MMSCs use."""

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
    FAILED = "Failed"
    UNKNOWN = "Unknown"

    @property
    def is_final(self) -> bool:
        """Whether no later report is expected."""
        return self in FINAL


# Indeterminate is not final: the MMSC cannot know the outcome (a handset without reports, another network), but the
# report of the handset may still follow.
FINAL: Final = frozenset(
    {
        ReportStatus.EXPIRED,
        ReportStatus.RETRIEVED,
        ReportStatus.REJECTED,
        ReportStatus.UNREACHABLE,
        ReportStatus.UNRECOGNISED,
        ReportStatus.NOT_SUPPORTED,
        ReportStatus.CONDITION_NOT_MET,
        ReportStatus.FAILED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """A delivery report. Numbers are digits only, and values that are not numbers are left out.

    Some carriers swap recipients and senders, so neither is reliable until the report is matched. `raw_status` is the
    status as the carrier wrote it; `handset` is the identity as given, None if the report names none; `reported_at` is
    in UTC, None if missing or unreadable.
    """

    message_id: str
    recipients: tuple[str, ...]
    senders: tuple[str, ...]
    reported_at: datetime | None
    status: ReportStatus
    raw_status: str
    text: str
    handset: str | None
