"""The rules that a run is held to: a clean story breaks none, and whatever breaks one is found by it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator.behaviour import TransportFailure
from simulator.chaos.checks import RULES, breaches, ends
from simulator.chaos.customers import Asked
from simulator.chaos.ends import network
from simulator.chaos.evidence import Entry, Evidence, Line, Story, Told

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PRICE, DDM = 30_000, 5_000
CODES = ("N501", "N502", "N101", "N102")


def submit(transaction: str, message_id: str | None, failure: TransportFailure | None = None, **more: Any) -> Entry:
    facts = {"kind": "submit", "transaction_id": transaction, "message_id": message_id, "failure": failure}
    return {**facts, "status_code": None, "duplicate": False, **more}


def ddm(transaction: str, message_id: str | None, at: datetime = NOW, **more: Any) -> Entry:
    return submit(transaction, message_id, ddm=True, number="14044790000", at=at.isoformat(), **more)


def reported(message_id: str, status: str, http_status: int | None = 200, at: datetime = NOW) -> Entry:
    number = {"number": "14044790000"}
    facts = {"kind": "report", "message_id": message_id, "mm_status": status, "http_status": http_status, **number}
    return {**facts, "at": at.isoformat()}


def received(seq: int, event: str, place: int, status: int = 200, **said: str) -> Entry:
    headers = {"X-MMS-Event-Id": event, "X-MMS-Sequence": str(place)}
    fields = {"CODE": CODES[place - 1], "TRACKINGID": "T1", **said}
    return {"kind": "postback", "seq": seq, "headers": headers, "fields": fields, "status": status}


STORY = Story(
    key=1,
    tracking_id="T1",
    reference="R1",
    number="14044790000",
    status="delivered",
    expires_at=NOW + timedelta(days=3),
    final_at=NOW,
    submitted=True,
    discovery=7,
    outcomes=("transient", "submitted"),
    told=tuple(Told(str(event), code, "taken") for event, code in enumerate(CODES, 1)),
    lines=(Line("reserve", 0, PRICE + DDM), Line("settle", -PRICE - DDM, -PRICE - DDM)),
    price=PRICE,
    price_ddm=DDM,
    reserved=PRICE + DDM,
    waits_until=NOW + timedelta(minutes=1),
)
ASKED = Asked("R1", True, ["T1", "T1"], unanswered=1)
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
CLEAN = Evidence(1, [ASKED], [STORY], {"discovery-7": ("submitted",)}, LOG)


def story(**changes: Any) -> Evidence:
    return replace(CLEAN, stories=[replace(STORY, **changes)])


def log(*entries: Entry, without: str = "", **changes: Any) -> Evidence:
    """The clean evidence with further entries, without those of a kind, and the story changed."""
    kept = [entry for entry in LOG if entry["kind"] != without]
    return replace(story(**changes), log=[*kept, *entries])


def asked(*customers: Asked) -> Evidence:
    return replace(CLEAN, ordered=len(customers), asked=customers)


def told(*codes: str) -> tuple[Told, ...]:
    return tuple(Told(str(event), code, "taken") for event, code in enumerate(codes, 1))


IN_DOUBT: dict[str, Any] = {"status": "in_doubt", "outcomes": ("transient", "in_doubt")}
OVER: dict[str, Any] = {"expires_at": NOW - timedelta(minutes=1), "final_at": NOW}


def test_a_clean_story_breaks_no_rule() -> None:
    assert breaches(CLEAN) == []


REFUSED = submit("message-1", None, status_code=2002)
NEVER_SENT: dict[str, Any] = {"status": "failed", "submitted": False, "outcomes": ()}
PAID = (Line("reserve", 0, PRICE + DDM), Line("settle", -PRICE, -PRICE), Line("release", 0, -DDM))
ANOTHER = replace(STORY, key=2, reference="R2", tracking_id="T2", number="14044790001")


BROKEN = {
    "nobody asked for anything": ("acknowledged accepts", Evidence(0, [], [], {}, [])),
    "customers who stopped half way": ("acknowledged accepts", replace(CLEAN, ordered=2)),
    "acknowledged and lost": ("acknowledged accepts", replace(asked(ASKED, Asked("R2", True, ["T2"])))),
    "two messages under one key": (
        "acknowledged accepts",
        replace(CLEAN, stories=[STORY, replace(STORY, tracking_id="T2")]),
    ),
    "two tracking ids for one key": ("acknowledged accepts", asked(replace(ASKED, acknowledged=["T1", "T2"]))),
    "acknowledged under another name": ("acknowledged accepts", asked(replace(ASKED, acknowledged=["T2"]))),
    "refused and stored": ("acknowledged accepts", asked(Asked("R1", True, refused="E713"))),
    "an answer that is none": ("acknowledged accepts", asked(replace(ASKED, strange="<html>"))),
    "a message that nobody asked for": ("acknowledged accepts", asked()),
    "stuck": ("ends", story(status="sending")),
    "delivered without a report": ("ends", log(without="report")),
    "a report that was answered and not applied": ("ends", story(status="submitted")),
    "expired before its time": ("ends", log(without="report", status="expired")),
    "expired although it was reported": (
        "ends",
        log(reported("M", "Retrieved", at=NOW - timedelta(seconds=9)), without="report", status="expired", **OVER),
    ),
    "failed and never sent": ("ends", log(without="submit", **NEVER_SENT)),
    "failed after one transient refusal": (
        "ends",
        replace(story(status="failed", outcomes=("transient",)), log=[submit("message-1", None, status_code=3000)]),
    ),
    "failed for good, says the platform alone": (
        "ends",
        replace(story(status="failed", outcomes=("permanent",)), log=[submit("message-1", None, status_code=3000)]),
    ),
    "failed although it was taken": ("ends", log(without="report", status="failed")),
    "failed after doubt before its expiry": (
        "ends",
        log(without="report", status="failed", outcomes=("transient", "in_doubt")),
    ),
    "in doubt although it was reported": ("ends", story(status="in_doubt")),
    "sent again though it was taken": ("submits", log(submit("message-1", "M", duplicate=True))),
    "sent again though it may have been taken": (
        "submits",
        replace(
            story(outcomes=("in_doubt", "submitted")),
            log=[submit("message-1", None, TransportFailure.HANG), *LOG[2:]],
        ),
    ),
    "a DDM sent again": ("submits", log(ddm("discovery-7", "D"))),
    "a second DDM while the first is awaited": (
        "discoveries",
        log(ddm("discovery-8", "E", NOW + timedelta(seconds=20))),
    ),
    "sent without an attempt": ("submits", story(outcomes=("submitted",))),
    "sent of nothing": ("submits", log(submit("message-99", "X"))),
    "a postback that never came": ("postbacks", log(without="postback")),
    "a postback that was given up": (
        "postbacks",
        story(told=(*STORY.told[:3], replace(STORY.told[3], status="given-up"))),
    ),
    "a postback that was refused": ("postbacks", replace(CLEAN, log=[*LOG[:-1], received(9, "4", 4, status=500)])),
    "postbacks out of order": (
        "postbacks",
        log(*(received(9 - int(e), e, int(e)) for e in "1234"), without="postback"),
    ),
    "postbacks with wrong places": (
        "postbacks",
        log(*(received(int(e), e, 1, CODE=CODES[int(e) - 1]) for e in "1234"), without="postback"),
    ),
    "received with another code": (
        "postbacks",
        log(*ARRIVED[:3], received(4, "4", 4, CODE="E102"), without="postback"),
    ),
    "received of another message": (
        "postbacks",
        log(*ARRIVED[:3], received(4, "4", 4, TRACKINGID="T2"), without="postback"),
    ),
    "told twice of the end": ("postbacks", story(told=told(*CODES, "N102"))),
    "told of success and failure": ("postbacks", story(told=told("N501", "N502", "E101", "N102"))),
    "not told of the discovery": ("postbacks", story(told=told("N101", "N102"))),
    "told of a discovery that was none": ("postbacks", story(discovery=None)),
    "told of the discovery last": ("postbacks", story(told=told("N101", "N501", "N502", "N102"))),
    "a ledger that does not add up": ("books", replace(CLEAN, unproven=("account 1",))),
    "reserved for ever": ("books", story(lines=STORY.lines[:1])),
    "charged twice": ("books", story(lines=(*STORY.lines, Line("settle", -PRICE, 0)))),
    "a DDM that nobody paid for": ("books", story(lines=PAID)),
    "a DDM that two paid for": ("books", replace(CLEAN, stories=[STORY, ANOTHER])),
    "a DDM paid for that nobody was told of": ("books", story(told=told("E501", "N101", "N102"))),
    "charged for what was never submitted": ("books", story(submitted=False)),
    "not given back": ("books", story(status="expired", refunds=True)),
    "charged in doubt": ("books", story(status="in_doubt")),
}


@pytest.mark.parametrize(
    ("code", "end"), [("N102", "Rejected"), ("N102", "Expired"), ("N103", "Expired"), ("E102", "Failed")]
)
def test_each_dialect_has_its_words_for_what_was_not_delivered(code: str, end: str) -> None:
    arrived = [*ARRIVED[:3], received(4, "4", 4, CODE=code, STATUS=f"Message Sent/{end}")]
    evidence = log(*arrived, reported("M", "Rejected"), without="postback", told=told(*CODES[:3], "E102"))
    assert "received as" not in " ".join(map(str, breaches(evidence)))


@pytest.mark.parametrize(("rule", "evidence"), BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks_a_rule_is_found_by_it(rule: str, evidence: Evidence) -> None:
    assert rule in RULES
    assert rule in {breach.rule for breach in breaches(evidence)}


EXPLAINED = {
    "delivered": CLEAN,
    "submitted, and no final report came": log(reported("M", "Forwarded"), without="report", status="submitted"),
    "in doubt, never taken": replace(story(**IN_DOUBT), log=[submit("message-1", None, TransportFailure.HANG)]),
    "in doubt, taken, and no final report came": log(reported("M", "Retrieved", None), without="report", **IN_DOUBT),
    "in doubt, taken, its report could be of several": replace(story(**IN_DOUBT), unmatched=frozenset({"M"})),
    "expired, says the report": log(reported("M", "Expired"), without="report", status="expired"),
    "expired without a report": log(without="report", status="expired", **OVER),
    "expired, reported too late": log(status="expired", **OVER),
    "rejected": log(reported("M", "Rejected"), without="report", status="rejected"),
    "failed, says the report": log(reported("M", "NotSupported"), without="report", status="failed"),
    "failed after doubt, at its expiry": log(
        without="report", status="failed", outcomes=("transient", "in_doubt"), **OVER
    ),
    "failed, refused for good": log(REFUSED, without="submit", status="failed", outcomes=("permanent",)),
    "failed, never taken, no further try": log(without="submit", status="failed", outcomes=("transient",) * 6),
}


@pytest.mark.parametrize(
    "changes",
    [{"outcomes": (), **OVER}, {"outcomes": ("limited",) * 3}, {"outcomes": ("transient",), "expires_at": NOW}],
    ids=["expired before it was sent", "few tries", "no further try before it expires"],
)
def test_what_was_never_taken_may_fail_where_there_is_no_further_try(changes: dict[str, Any]) -> None:
    evidence = log(without="submit", status="failed", **changes)
    assert ends(evidence, network(evidence)) == {"failed, never taken, no further try": 1}


def test_a_number_may_have_another_ddm_once_the_report_of_the_first_is_there() -> None:
    again = log(ddm("discovery-8", "E", NOW + timedelta(seconds=40)))
    assert "discoveries" not in {breach.rule for breach in breaches(again)}


@pytest.mark.parametrize(("end", "evidence"), EXPLAINED.items())
def test_ends_are_explained_by_what_the_mmsc_saw(end: str, evidence: Evidence) -> None:
    assert ends(evidence, network(evidence)) == {end: 1}
