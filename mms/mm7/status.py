"""Mapping of the MMStatus of a delivery report to the platform's report statuses."""

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
    **dict.fromkeys(
        ("delivered", "messagedelivered", "successfullydelivered", "deliverysuccessful", "delivrd", "read"),
        ReportStatus.RETRIEVED,
    ),
    **dict.fromkeys(
        (
            "undeliverable", "undelivered", "notdelivered", "undeliv", "deliveryfailed", "deliveryfailure", "failure",
            "systemerror", "systemfailure", "error",
        ),
        ReportStatus.FAILED,
    ),
    **dict.fromkeys(("refused", "rejectd", "messagerejected"), ReportStatus.REJECTED),
    **dict.fromkeys(("messageexpired", "timeexpired"), ReportStatus.EXPIRED),
    **dict.fromkeys(("unsupported", "messagenotsupported"), ReportStatus.NOT_SUPPORTED),
    **dict.fromkeys(("unknownsubscriber", "unknownrecipient"), ReportStatus.UNRECOGNISED),
    **dict.fromkeys(("notreachable", "subscriberunreachable"), ReportStatus.UNREACHABLE),
    **dict.fromkeys(("pending", "enroute", "queued", "buffered"), ReportStatus.DEFERRED),
}  # fmt: skip

NO_OVERRIDES: Final[Mapping[str, ReportStatus]] = MappingProxyType({})


def read_status(text: str, overrides: Mapping[str, ReportStatus] = NO_OVERRIDES) -> ReportStatus:
    """Return the status for a report's MMStatus, in any case and spacing; UNKNOWN if it is not recognised.

    `overrides` maps the carrier's own numbers or words; it takes precedence.
    """
    stripped = text.strip()
    return overrides.get(stripped) or _BY_LETTERS.get(_letters(stripped), ReportStatus.UNKNOWN)
