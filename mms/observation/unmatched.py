"""Delivery reports without a submit, and the likely reason: the doctor and the dashboard tell operators.

Their messages stay submitted until they expire, and may be refunded although they were delivered.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mms.messages import report_search
from mms.models import Attempt, Carrier, Discovery, Message, Report

WINDOW: Final = timedelta(days=7)
# A report may precede the answer to its submit, which may take the carrier's time limit.
YOUNG: Final = timedelta(minutes=1)
SAMPLE: Final = 20  # the latest reports, each examined by a few index descents


@dataclass(frozen=True, slots=True)
class Reason:
    """A likely reason why reports match no submit, and what to do about it."""

    text: str
    remedy: str


NO_ID: Final = Reason(
    "reports without a MessageID, of which no submit or several can be meant",
    "Ask the carrier to send the MessageID in its reports.",
)
OTHER_IDS: Final = Reason(
    "reports on numbers that were sent to, under MessageIDs that the MMSC did not answer with",
    "Compare their MessageIDs with those of the attempts, and ask the carrier which one its reports have.",
)
NOTHING_SENT: Final = Reason(
    "reports on numbers to which nothing was sent",
    "Ask the carrier whether its MMSC sends the reports of another VASP, or of another platform, to this address.",
)


def likely_reasons(now: datetime) -> list[tuple[Reason, int]]:
    """Return the reasons for the latest unmatched reports, the most frequent first, each with their number."""
    received = {"received_at__gt": now - WINDOW, "received_at__lt": now - YOUNG}
    latest = Report.objects.filter(attempt=None, **received).select_related("carrier").order_by("-received_at")[:SAMPLE]
    carriers = {carrier.pk: carrier for carrier in Carrier.objects.all()} if latest else {}
    return Counter(_reason(report, carriers) for report in latest).most_common()


def _reason(report: Report, carriers: Mapping[int, Carrier]) -> Reason:
    if not report.mmsc_id:
        return NO_ID
    named = {"carrier__in": list(carriers), "mmsc_id__in": report_search.spellings(report.mmsc_id)}
    others = set(Attempt.objects.filter(**named).values_list("carrier", flat=True))
    if foreign := sorted(others - report_search.carriers_of_same_mmsc()[report.carrier_id]):
        return _of_another_carrier(report, carriers[foreign[0]])
    return OTHER_IDS if others or _was_sent_to(report.number) else NOTHING_SENT


def _of_another_carrier(report: Report, other: Carrier) -> Reason:
    return Reason(
        f"reports on submits of {other} come to the address of {report.carrier}",
        "If one MMSC serves both, enter the same host, port and VASPID for them; else give the carrier the address"
        f" /mm7/{other.slug} for reports.",
    )


def _was_sent_to(number: str) -> bool:
    return any(sent._default_manager.filter(number=number).exists() for sent in (Message, Discovery))
