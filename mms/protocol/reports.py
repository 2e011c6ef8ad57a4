"""A delivery report: what a carrier says became of a message."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class ReportStatus(StrEnum):
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
        ReportStatus.EXPIRED,
        ReportStatus.RETRIEVED,
        ReportStatus.REJECTED,
        ReportStatus.UNREACHABLE,
        ReportStatus.UNRECOGNISED,
        ReportStatus.NOT_SUPPORTED,
        ReportStatus.CONDITION_NOT_MET,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """One report. Numbers are digits only, and a value that is no number is left out.

    Some carriers swap recipients and senders, so neither is trusted before the message is known. `raw_status` is the
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
