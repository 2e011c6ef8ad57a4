"""Outcomes of messages, and their explanation by the log of the MMSC."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mms.messages import attempts
from mms.mm7 import codes
from mms.protocol.submit import Outcome
from simulator.behaviour import TransportFailure
from simulator.chaos.evidence import Entry, Evidence, MessageRecord

# MMStatus of a final report (3GPP TS 23.140, 8.7.7), in lower case -> resulting status of the message.
FINAL_STATUSES = {
    "retrieved": "delivered",
    "expired": "expired",
    "rejected": "rejected",
    "unreachable": "failed",
    "unrecognised": "failed",
    "notsupported": "failed",
    "delivery condition not met": "failed",
}
# Time within which a report that arrived before the SubmitRsp has been matched.
MATCHING_DELAY = timedelta(seconds=3)
# Failures after which the MMSC has certainly not accepted the message, so that it may be submitted again.
REFUSALS = frozenset({TransportFailure.RESET_BEFORE_READ, TransportFailure.HTTP_500, TransportFailure.HTTP_503})


@dataclass(frozen=True, slots=True)
class MmscLog:
    """Index of the simulator's log."""

    submits: Mapping[str, Sequence[Entry]]  # by TransactionID
    reports: Mapping[str, Sequence[Entry]]  # final reports by MessageID

    def message_id(self, transaction_id: str) -> str | None:
        """Return the MessageID under which the MMSC accepted the transaction, if it did."""
        submits = self.submits.get(transaction_id, ())
        return next((entry["message_id"] for entry in submits if entry["message_id"]), None)

    def final_reports(self, transaction_id: str) -> list[Entry]:
        """Return the final reports on the transaction, in order, whether or not the MMSC got our answer."""
        return list(self.reports.get(self.message_id(transaction_id) or "", ()))


def index_log(evidence: Evidence) -> MmscLog:
    """Index the submits and the final reports of the log."""
    submits: dict[str, list[Entry]] = defaultdict(list)
    reports: dict[str, list[Entry]] = defaultdict(list)
    for entry in evidence.log:
        if entry["kind"] == "submit":
            submits[entry["transaction_id"]].append(entry)
        elif entry["kind"] == "report" and _final_status(entry):
            reports[entry["message_id"]].append(entry)
    return MmscLog(submits, reports)


def _final_status(report: Entry) -> str | None:
    return FINAL_STATUSES.get(report["mm_status"].lower())


def acknowledged(reports: Sequence[Entry]) -> list[Entry]:
    """Return the reports whose receipt we have acknowledged; we may or may not have received the others."""
    return [report for report in reports if report["http_status"] == 200]


def is_refused(entry: Entry) -> bool:
    """Return whether the MMSC has certainly not accepted this submit."""
    if entry.get("failure"):
        return entry["failure"] in REFUSALS
    return entry["message_id"] is None


def is_permanently_refused(entry: Entry) -> bool:
    """Return whether the MMSC has refused this submit with a permanent error."""
    code = entry["status_code"] if is_refused(entry) and not entry.get("failure") else None
    return code is not None and codes.outcome(code) in {Outcome.PERMANENT, Outcome.CONTENT_REFUSED}


def explain_outcome(message: MessageRecord, mmsc_log: MmscLog, unmatched: frozenset[str]) -> str | None:
    """Return a description of the message's outcome, or None if the log of the MMSC does not explain it."""
    message_id, reports = mmsc_log.message_id(message.transaction_id), mmsc_log.final_reports(message.transaction_id)
    match message.status:
        case "delivered" | "rejected":
            return message.status if message.status in map(_final_status, reports) else None
        case "expired":
            return _expired(message, reports)
        case "failed":
            return _failed(message, mmsc_log.submits.get(message.transaction_id, ()), reports)
        case "submitted":
            return "submitted, no final report" if message_id and not acknowledged(reports) else None
        case "in_doubt":
            return _in_doubt(message_id, reports, unmatched)
        case "accepted":
            return "tried again until it expires" if not message_id and is_patient(message) else None
    return None


def _expired(message: MessageRecord, reports: Sequence[Entry]) -> str | None:
    if "expired" in map(_final_status, reports):
        return "expired, as reported"
    if not _has_expired(message) or _any_before(acknowledged(reports), message.final_at - MATCHING_DELAY):
        return None
    return "expired without a report" if not reports else "expired before the report"


def _failed(message: MessageRecord, submits: Sequence[Entry], reports: Sequence[Entry]) -> str | None:
    if "failed" in map(_final_status, reports):
        return "failed, as reported"
    if message.outcomes[-1:] == ("in_doubt",):
        return "failed at expiry, in doubt before" if _has_expired(message) else None
    if any(entry["message_id"] for entry in submits):
        return None
    if any(map(is_permanently_refused, submits)):
        return "failed, permanently refused"
    return "failed, never accepted, no retry left" if _has_no_retry(message) else None


def _has_no_retry(message: MessageRecord) -> bool:
    """Return whether there is no retry left, or none before the message expires."""
    if _has_expired(message):
        return True
    last = Outcome(message.outcomes[-1]) if message.outcomes and message.outcomes[-1] else None
    wait = attempts.retry_wait(last, _count_refusals(message)) if last else None
    return message.final_at + wait >= message.expires_at if wait else last == Outcome.LIMITED


def is_patient(message: MessageRecord) -> bool:
    """Return whether the message has been refused so often that only the last step of the schedule is repeated."""
    return _count_refusals(message) > len(attempts.RETRY_SCHEDULE)


def _count_refusals(message: MessageRecord) -> int:
    return sum(outcome in attempts.REFUSALS for outcome in message.outcomes)


def _in_doubt(message_id: str | None, reports: Sequence[Entry], unmatched: frozenset[str]) -> str | None:
    if message_id is None:
        return "in doubt, never accepted"
    if not acknowledged(reports):
        return "in doubt, accepted, no final report"
    return "in doubt, accepted, ambiguous report" if message_id in unmatched else None


def _has_expired(message: MessageRecord) -> bool:
    return message.final_at >= message.expires_at


def _any_before(reports: Sequence[Entry], time: datetime) -> bool:
    """Return whether one of the reports was logged before this time."""
    return any(datetime.fromisoformat(entry["at"]) < time for entry in reports)
