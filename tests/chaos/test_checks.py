"""The rules of a chaos run: clean evidence breaks none, and each rule finds its find_breaches."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator.behaviour import TransportFailure
from simulator.chaos.checks import RULES, count_never_accepted, count_outcomes, find_breaches
from simulator.chaos.customers import SendResult
from simulator.chaos.evidence import Entry, Evidence, LedgerLine, MessageRecord, PostbackRow
from simulator.chaos.outcomes import index_log

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PRICE, DDM = 30_000, 5_000
CODES = ("N501", "N502", "N101", "N102")


def submit(transaction: str, message_id: str | None, failure: TransportFailure | None = None, **more: Any) -> Entry:
    fields = {"kind": "submit", "transaction_id": transaction, "message_id": message_id, "failure": failure}
    return {**fields, "status_code": None, "duplicate": False, **more}


def ddm(transaction: str, message_id: str | None, at: datetime = NOW, **more: Any) -> Entry:
    return submit(transaction, message_id, ddm=True, number="14044790000", at=at.isoformat(), **more)


def reported(message_id: str, status: str, http_status: int | None = 200, at: datetime = NOW) -> Entry:
    number = {"number": "14044790000"}
    fields = {"kind": "report", "message_id": message_id, "mm_status": status, "http_status": http_status, **number}
    return {**fields, "at": at.isoformat()}


def received(seq: int, event: str, position: int, status: int = 200, **content: str) -> Entry:
    headers = {"X-MMS-Event-Id": event, "X-MMS-Sequence": str(position)}
    fields = {"CODE": CODES[position - 1], "TRACKINGID": "T1", **content}
    return {"kind": "postback", "seq": seq, "headers": headers, "fields": fields, "status": status}


MESSAGE = MessageRecord(
    key=1,
    tracking_id="T1",
    reference="R1",
    number="14044790000",
    status="delivered",
    expires_at=NOW + timedelta(days=3),
    final_at=NOW,
    submitted=True,
    discovery=7,
    opened_discovery=True,
    outcomes=("transient", "submitted"),
    postbacks=tuple(PostbackRow(str(event), code, "taken") for event, code in enumerate(CODES, 1)),
    lines=(LedgerLine("reserve", 0, PRICE + DDM), LedgerLine("settle", -PRICE - DDM, -PRICE - DDM)),
    price=PRICE,
    price_ddm=DDM,
    reserved=PRICE + DDM,
    discovery_deadline=NOW + timedelta(minutes=1),
)
RESULT = SendResult("R1", True, ["T1", "T1"], unanswered=1)
SUBMITS = (
    ddm("discovery-7", "D"),
    submit("message-1", None, TransportFailure.HTTP_503),
    submit("message-1", "M"),
)
LOG = (
    *SUBMITS,
    reported("D", "Retrieved", at=NOW + timedelta(seconds=30)),
    reported("M", "Retrieved"),
    *(received(seq, event, int(event)) for seq, event in enumerate("1122334", 1)),
)
ARRIVED = [received(int(event), event, int(event)) for event in "1234"]
CLEAN = Evidence(1, [RESULT], [MESSAGE], {"discovery-7": ("submitted",)}, LOG)


def evidence_with(**changes: Any) -> Evidence:
    return replace(CLEAN, messages=[replace(MESSAGE, **changes)])


def log(*entries: Entry, without: str = "", **changes: Any) -> Evidence:
    """Return clean evidence with more log entries, without entries of one kind, and with a changed message."""
    kept = [entry for entry in LOG if entry["kind"] != without]
    return replace(evidence_with(**changes), log=[*kept, *entries])


def results(*results: SendResult) -> Evidence:
    return replace(CLEAN, expected=len(results), results=results)


def postbacks(*codes: str) -> tuple[PostbackRow, ...]:
    return tuple(PostbackRow(str(event), code, "taken") for event, code in enumerate(codes, 1))


IN_DOUBT: dict[str, Any] = {"status": "in_doubt", "outcomes": ("transient", "in_doubt")}
EXPIRED: dict[str, Any] = {"expires_at": NOW - timedelta(minutes=1), "final_at": NOW}


def test_clean_evidence_breaks_no_rule() -> None:
    assert find_breaches(CLEAN) == []


REFUSED = submit("message-1", None, status_code=2002)
NEVER_SENT: dict[str, Any] = {"status": "failed", "submitted": False, "outcomes": ()}
PAID_WITHOUT_DDM = (
    LedgerLine("reserve", 0, PRICE + DDM),
    LedgerLine("settle", -PRICE, -PRICE),
    LedgerLine("release", 0, -DDM),
)
OTHER_MESSAGE = replace(MESSAGE, key=2, reference="R2", tracking_id="T2", number="14044790001")


BROKEN = {
    "no requests": ("accepts", Evidence(0, [], [], {}, [])),
    "missing requests": ("accepts", replace(CLEAN, expected=2)),
    "acknowledged message lost": ("accepts", replace(results(RESULT, SendResult("R2", True, ["T2"])))),
    "two messages for one key": (
        "accepts",
        replace(CLEAN, messages=[MESSAGE, replace(MESSAGE, tracking_id="T2")]),
    ),
    "two tracking IDs for one key": ("accepts", results(replace(RESULT, tracking_ids=["T1", "T2"]))),
    "wrong tracking ID": ("accepts", results(replace(RESULT, tracking_ids=["T2"]))),
    "refused but stored": ("accepts", results(SendResult("R1", True, error_code="E713"))),
    "unexpected answer": ("accepts", results(replace(RESULT, unexpected_answer="<html>"))),
    "message without a request": ("accepts", results()),
    "unfinished message": ("outcomes", evidence_with(status="sending")),
    "delivered without a report": ("outcomes", log(without="report")),
    "acknowledged report not applied": ("outcomes", evidence_with(status="submitted")),
    "expired too early": ("outcomes", log(without="report", status="expired")),
    "expired although reported": (
        "outcomes",
        log(reported("M", "Retrieved", at=NOW - timedelta(seconds=9)), without="report", status="expired", **EXPIRED),
    ),
    "failed without a submit": ("outcomes", log(without="submit", **NEVER_SENT)),
    "failed after one transient refusal": (
        "outcomes",
        replace(
            evidence_with(status="failed", outcomes=("transient",)), log=[submit("message-1", None, status_code=3000)]
        ),
    ),
    "failed after many transient refusals": (
        "outcomes",
        log(without="submit", status="failed", outcomes=("transient",) * 9),
    ),
    "failed unreachable": ("outcomes", log(without="submit", status="failed", outcomes=("unreachable",) * 9)),
    "accepted and waiting early in its schedule": (
        "outcomes",
        log(without="submit", status="accepted", outcomes=("transient",) * 2),
    ),
    "permanent failure without a permanent refusal": (
        "outcomes",
        replace(
            evidence_with(status="failed", outcomes=("permanent",)), log=[submit("message-1", None, status_code=3000)]
        ),
    ),
    "failed although accepted": ("outcomes", log(without="report", status="failed")),
    "failed in doubt before expiry": (
        "outcomes",
        log(without="report", status="failed", outcomes=("transient", "in_doubt")),
    ),
    "in doubt although reported": ("outcomes", evidence_with(status="in_doubt")),
    "submitted again although accepted": ("submits", log(submit("message-1", "M", duplicate=True))),
    "submitted again although possibly accepted": (
        "submits",
        replace(
            evidence_with(outcomes=("in_doubt", "submitted")),
            log=[submit("message-1", None, TransportFailure.HANG), *LOG[2:]],
        ),
    ),
    "DDM submitted again": ("submits", log(ddm("discovery-7", "D"))),
    "second DDM during a discovery": (
        "discoveries",
        log(ddm("discovery-8", "E", NOW + timedelta(seconds=20))),
    ),
    "submit without an attempt": ("submits", evidence_with(outcomes=("submitted",))),
    "submit without a message": ("submits", log(submit("message-99", "X"))),
    "postback not received": ("postbacks", log(without="postback")),
    "postback given up": (
        "postbacks",
        evidence_with(postbacks=(*MESSAGE.postbacks[:3], replace(MESSAGE.postbacks[3], status="given-up"))),
    ),
    "postback refused": ("postbacks", replace(CLEAN, log=[*LOG[:-1], received(9, "4", 4, status=500)])),
    "postbacks out of order": (
        "postbacks",
        log(*(received(9 - int(e), e, int(e)) for e in "1234"), without="postback"),
    ),
    "postbacks with wrong sequence numbers": (
        "postbacks",
        log(*(received(int(e), e, 1, CODE=CODES[int(e) - 1]) for e in "1234"), without="postback"),
    ),
    "postback with wrong code": (
        "postbacks",
        log(*ARRIVED[:3], received(4, "4", 4, CODE="E102"), without="postback"),
    ),
    "postback of another message": (
        "postbacks",
        log(*ARRIVED[:3], received(4, "4", 4, TRACKINGID="T2"), without="postback"),
    ),
    "two final postbacks": ("postbacks", evidence_with(postbacks=postbacks(*CODES, "N102"))),
    "postbacks on success and failure": (
        "postbacks",
        evidence_with(postbacks=postbacks("N501", "N502", "E101", "N102")),
    ),
    "no postback on the discovery": ("postbacks", evidence_with(postbacks=postbacks("N101", "N102"))),
    "postback without a discovery": ("postbacks", evidence_with(discovery=None)),
    "postback on the discovery too late": (
        "postbacks",
        evidence_with(postbacks=postbacks("N101", "N501", "N502", "N102")),
    ),
    "balance differs from the ledger": ("ledger", replace(CLEAN, ledger_differences=("account 1",))),
    "reservation left over": ("ledger", evidence_with(lines=MESSAGE.lines[:1])),
    "charged twice": ("ledger", evidence_with(lines=(*MESSAGE.lines, LedgerLine("settle", -PRICE, 0)))),
    "DDM not charged": ("ledger", evidence_with(lines=PAID_WITHOUT_DDM)),
    "DDM charged twice": ("ledger", replace(CLEAN, messages=[MESSAGE, OTHER_MESSAGE])),
    "DDM charged although refused": ("ledger", evidence_with(postbacks=postbacks("E501", "N101", "N102"))),
    "charged without a submit": ("ledger", evidence_with(submitted=False)),
    "not refunded": ("ledger", evidence_with(status="expired", refunds=True)),
    "charged while in doubt": ("ledger", evidence_with(status="in_doubt")),
}


@pytest.mark.parametrize(
    ("code", "status"), [("N102", "Rejected"), ("N102", "Expired"), ("N103", "Expired"), ("E102", "Failed")]
)
def test_undelivered_codes_are_recognized_in_each_dialect(code: str, status: str) -> None:
    arrived = [*ARRIVED[:3], received(4, "4", 4, CODE=code, STATUS=f"Message Sent/{status}")]
    evidence = log(*arrived, reported("M", "Rejected"), without="postback", postbacks=postbacks(*CODES[:3], "E102"))
    assert "received N" not in " ".join(map(str, find_breaches(evidence)))


@pytest.mark.parametrize(("rule", "evidence"), BROKEN.values(), ids=BROKEN.keys())
def test_breach_is_found_by_its_rule(rule: str, evidence: Evidence) -> None:
    assert rule in RULES
    assert rule in {breach.rule for breach in find_breaches(evidence)}


EXPLAINED = {
    "delivered": CLEAN,
    "submitted, no final report": log(reported("M", "Forwarded"), without="report", status="submitted"),
    "in doubt, never accepted": replace(
        evidence_with(**IN_DOUBT), log=[submit("message-1", None, TransportFailure.HANG)]
    ),
    "in doubt, accepted, no final report": log(reported("M", "Retrieved", None), without="report", **IN_DOUBT),
    "in doubt, accepted, ambiguous report": replace(evidence_with(**IN_DOUBT), unmatched=frozenset({"M"})),
    "expired, as reported": log(reported("M", "Expired"), without="report", status="expired"),
    "expired without a report": log(without="report", status="expired", **EXPIRED),
    "expired before the report": log(status="expired", **EXPIRED),
    "rejected": log(reported("M", "Rejected"), without="report", status="rejected"),
    "failed, as reported": log(reported("M", "NotSupported"), without="report", status="failed"),
    "failed at expiry, in doubt before": log(
        without="report", status="failed", outcomes=("transient", "in_doubt"), **EXPIRED
    ),
    "failed, permanently refused": log(REFUSED, without="submit", status="failed", outcomes=("permanent",)),
    "failed, never accepted, no retry left": log(without="submit", status="failed", outcomes=("limited",) * 3),
    "tried again until it expires": log(without="submit", status="accepted", outcomes=("transient",) * 6),
}


@pytest.mark.parametrize(
    "changes",
    [
        {"outcomes": (), **EXPIRED},
        {"outcomes": ("unreachable", "limited", "limited", "limited")},
        {"outcomes": ("transient",), "expires_at": NOW},
        {"outcomes": ("unreachable",), "expires_at": NOW},
    ],
    ids=["expired before a submit", "limited attempts", "no retry before the expiry", "unreachable at the expiry"],
)
def test_message_never_accepted_can_fail_without_retries_left(changes: dict[str, Any]) -> None:
    evidence = log(without="submit", status="failed", **changes)
    assert count_outcomes(evidence, index_log(evidence)) == {"failed, never accepted, no retry left": 1}


def test_acknowledged_messages_never_accepted_are_counted() -> None:
    never: dict[str, Any] = {"without": "submit", "status": "in_doubt", "outcomes": ("in_doubt",)}
    assert count_never_accepted(log(**never), index_log(log(**never))) == {"all": 1, "in_doubt": 1}
    assert count_never_accepted(CLEAN, index_log(CLEAN)) == {"all": 0}
    unanswered = replace(log(**never), results=[SendResult("R1", True)])
    assert count_never_accepted(unanswered, index_log(unanswered)) == {"all": 0}


def test_second_ddm_is_valid_after_the_report_on_the_first() -> None:
    evidence = log(ddm("discovery-8", "E", NOW + timedelta(seconds=40)))
    assert "discoveries" not in {breach.rule for breach in find_breaches(evidence)}


@pytest.mark.parametrize(("outcome", "evidence"), EXPLAINED.items())
def test_outcomes_are_explained_by_the_mmsc_log(outcome: str, evidence: Evidence) -> None:
    assert count_outcomes(evidence, index_log(evidence)) == {outcome: 1}
