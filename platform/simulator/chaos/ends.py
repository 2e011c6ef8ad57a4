"""How a message may end, and how its end is explained by what the MMSC saw. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mms.messages.attempts import LIMITED_SCHEDULE, RETRY_SCHEDULE
from mms.mm7 import codes
from mms.protocol.submit import Outcome
from simulator.behaviour import TransportFailure
from simulator.chaos.evidence import Entry, Evidence, Story

# MMStatus of a report (3GPP TS 23.140, 8.7.7), in lower case -> the status that it ends a message with.
FINAL_REPORTS = {
    "retrieved": "delivered",
    "expired": "expired",
    "rejected": "rejected",
    "unreachable": "failed",
    "unrecognised": "failed",
    "notsupported": "failed",
    "delivery condition not met": "failed",
}
# A report that overtook the answer to the submit is matched after a second, at the next look.
MATCHED = timedelta(seconds=3)
# What the MMSC did not take and said so, or cut off before it could have it: it may be sent again.
REFUSALS = frozenset({TransportFailure.RESET_BEFORE_READ, TransportFailure.HTTP_500, TransportFailure.HTTP_503})
LADDERS: Mapping[str, Sequence[timedelta]] = {Outcome.TRANSIENT: RETRY_SCHEDULE, Outcome.LIMITED: LIMITED_SCHEDULE}


@dataclass(frozen=True, slots=True)
class Network:
    """The simulator's log by what is asked of it."""

    submits: Mapping[str, Sequence[Entry]]  # by TransactionID
    reports: Mapping[str, Sequence[Entry]]  # the final ones, by the MMSC's name of the message

    def name(self, transaction: str) -> str | None:
        """The MMSC's name of what it took under the TransactionID."""
        return next((entry["message_id"] for entry in self.submits.get(transaction, ()) if entry["message_id"]), None)

    def ends(self, transaction: str) -> list[Entry]:
        """The final reports on it, in their order, whether or not our answer reached the MMSC."""
        return list(self.reports.get(self.name(transaction) or "", ()))


def network(evidence: Evidence) -> Network:
    submits: dict[str, list[Entry]] = defaultdict(list)
    reports: dict[str, list[Entry]] = defaultdict(list)
    for entry in evidence.log:
        if entry["kind"] == "submit":
            submits[entry["transaction_id"]].append(entry)
        elif entry["kind"] == "report" and _end(entry):
            reports[entry["message_id"]].append(entry)
    return Network(submits, reports)


def _end(report: Entry) -> str | None:
    return FINAL_REPORTS.get(report["mm_status"].lower())


def answered(reports: Sequence[Entry]) -> list[Entry]:
    """Those that the MMSC knows that we have; the others we may have, or not."""
    return [report for report in reports if report["http_status"] == 200]


def refused(entry: Entry) -> bool:
    """Whether the MMSC cannot have this submit's message."""
    if entry.get("failure"):
        return entry["failure"] in REFUSALS
    return entry["message_id"] is None


def refused_for_good(entry: Entry) -> bool:
    """Whether the MMSC said that it will never take this."""
    told = entry["status_code"] if refused(entry) and not entry.get("failure") else None
    return told is not None and codes.outcome(told) in {Outcome.PERMANENT, Outcome.CONTENT_REFUSED}


def explained(story: Story, seen: Network, unmatched: frozenset[str]) -> str | None:
    """The class of the message's end in words, or None where nothing the MMSC saw explains it."""
    taken, reports = seen.name(story.transaction), seen.ends(story.transaction)
    match story.status:
        case "delivered" | "rejected":
            return story.status if story.status in map(_end, reports) else None
        case "expired":
            return _expired(story, reports)
        case "failed":
            return _failed(story, seen.submits.get(story.transaction, ()), reports)
        case "submitted":
            return "submitted, and no final report came" if taken and not answered(reports) else None
        case "in_doubt":
            return _in_doubt(taken, reports, unmatched)
    return None


def _expired(story: Story, reports: Sequence[Entry]) -> str | None:
    if "expired" in map(_end, reports):
        return "expired, says the report"
    if not _overdue(story) or _before(answered(reports), story.final_at - MATCHED):
        return None
    return "expired without a report" if not reports else "expired, reported too late"


def _failed(story: Story, submits: Sequence[Entry], reports: Sequence[Entry]) -> str | None:
    if "failed" in map(_end, reports):
        return "failed, says the report"
    if story.outcomes[-1:] == ("in_doubt",):
        return "failed after doubt, at its expiry" if _overdue(story) else None
    if any(entry["message_id"] for entry in submits):
        return None
    if any(map(refused_for_good, submits)):
        return "failed, refused for good"
    return "failed, never taken, no further try" if _given_up(story) else None


def _given_up(story: Story) -> bool:
    """Whether there is no further try, or none before the message expires."""
    if _overdue(story):
        return True
    tries = len(story.outcomes)
    ladder = LADDERS.get(story.outcomes[-1]) if tries else None
    if ladder is None:
        return False
    return tries > len(ladder) or story.final_at + ladder[tries - 1] >= story.expires_at


def _in_doubt(taken: str | None, reports: Sequence[Entry], unmatched: frozenset[str]) -> str | None:
    if taken is None:
        return "in doubt, never taken"
    if not answered(reports):
        return "in doubt, taken, and no final report came"
    return "in doubt, taken, its report could be of several" if taken in unmatched else None


def _overdue(story: Story) -> bool:
    return story.final_at >= story.expires_at


def _before(reports: Sequence[Entry], moment: datetime) -> bool:
    """Whether one of the reports was answered before then."""
    return any(datetime.fromisoformat(entry["at"]) < moment for entry in reports)
