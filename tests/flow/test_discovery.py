"""Discovery: who gets a DDM, what its fate means, and what the messages that share it are told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from handsets.models import CachedHandset, Handset
from mms.messages import attempts, claiming, transitions
from mms.messages.attempts import CompletedSubmit
from mms.models import Attempt, Discovery, Message
from mms.protocol.submit import Outcome, SubmitResult
from tests.scripted import Scripted
from tests.wire import IPHONE, Drive, codes, kinds, submit_rsp

Send = Callable[..., Message]
Reported = Callable[..., int]

DDM = "<ddm-message-text>What is your telephone?</ddm-message-text>"
FORCED = DDM + "<ddm-force>true</ddm-force>"
SAMSUNG = "http://wap.samsungmobile.com/uaprof/SM-A300FU.xml"


def cached(handset: Handset, days: int = 1, source: str = "delivery-report") -> None:
    seen = datetime.now(UTC) - timedelta(days=days)
    CachedHandset.objects.create(number="14044790000", handset=handset, source=source, first_seen=seen, last_seen=seen)


def later(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def is_ddm(mmsc: Scripted, index: int) -> bool:
    return b"What is your telephone?" in mmsc.received[index].body


@pytest.mark.parametrize(
    ("known", "asked", "ddm"),
    [
        ("known", "", False),
        ("known", DDM, False),
        ("known", FORCED, True),
        ("unknown", "", False),
        ("unknown", DDM, True),
        ("unknown", FORCED, True),
        ("too old", DDM, True),
        ("too old", "", False),
    ],
)
def test_the_table_of_cases(
    world: SimpleNamespace, send: Send, drive: Drive, mmsc: Scripted, known: str, asked: str, *, ddm: bool
) -> None:
    if known != "unknown":
        cached(world.iphone, days=181 if known == "too old" else 179)
    message = send(asked)
    drive()
    message.refresh_from_db()
    assert (message.status, is_ddm(mmsc, 0)) == (("discovering", True) if ddm else ("submitted", False))
    if not ddm:
        assert message.handset == (world.iphone if known == "known" else None)


def test_a_second_message_to_a_discovered_number_goes_out_without_a_ddm(
    send: Send, drive: Drive, reported: Reported, mmsc: Scripted
) -> None:
    send(DDM)
    drive()
    reported("M1", "Retrieved", IPHONE)
    drive()
    second = send(DDM)
    drive()
    assert [is_ddm(mmsc, index) for index in range(len(mmsc.received))] == [True, False, False]
    assert codes(second) == ["N101"]


def test_a_report_without_identity_counts_as_answered(
    send: Send, drive: Drive, reported: Reported, mmsc: Scripted
) -> None:
    message = send(DDM)
    drive()
    reported("M1", "Retrieved", "Default")
    drive()
    message.refresh_from_db()
    assert (message.status, message.handset) == ("submitted", None)
    assert codes(message) == ["N501", "N502", "N101"]
    assert not CachedHandset.objects.exists()


def test_no_answer_by_the_deadline_sends_with_the_generic_profile(send: Send, drive: Drive, mmsc: Scripted) -> None:
    message = send(DDM + "<ddm-message-timeout>10</ddm-message-timeout>")
    drive()
    drive(later(9.9))
    message.refresh_from_db()
    assert message.status == "discovering"
    drive(later(10.1))
    message.refresh_from_db()
    assert (message.status, message.handset) == ("submitted", None)
    assert kinds(message) == ["accepted", "discovering", "ddm-sent", "deadline", "adapted", "submitted"]
    assert codes(message) == ["N501", "N101"]


def test_the_longest_wait_leaves_three_days_to_send_the_message(send: Send, drive: Drive, mmsc: Scripted) -> None:
    message = send(DDM + "<ddm-message-timeout>4320</ddm-message-timeout>")
    drive()
    over = later(4321)
    drive(over)
    assert codes(message) == ["N501", "N101"]
    message.refresh_from_db()
    assert message.expires_at - over > timedelta(days=3, minutes=-2)
    assert f"<ExpiryDate>{message.expires_at:%Y-%m-%dT%H:%M:%SZ}</ExpiryDate>".encode() in mmsc.received[1].body


def test_no_message_is_given_to_the_mmsc_for_more_than_three_days(
    world: SimpleNamespace, send: Send, drive: Drive, mmsc: Scripted
) -> None:
    cached(world.iphone)
    send(DDM + "<ddm-message-timeout>4320</ddm-message-timeout>")
    now = datetime.now(UTC) + timedelta(seconds=1)
    drive(now)
    assert f"<ExpiryDate>{now + timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}</ExpiryDate>".encode() in mmsc.received[0].body


def test_a_forced_discovery_without_answer_falls_back_to_the_cached_handset(
    world: SimpleNamespace, send: Send, drive: Drive
) -> None:
    cached(world.iphone)
    message = send(FORCED)
    drive()
    drive(later(5.1))
    message.refresh_from_db()
    assert (message.status, message.handset) == ("submitted", world.iphone)


def test_a_late_report_fills_the_cache_and_tells_the_customer_but_moves_nothing(
    world: SimpleNamespace, send: Send, drive: Drive, reported: Reported, mmsc: Scripted
) -> None:
    message = send(DDM)
    drive()
    drive(later(5.1))
    reported("M1", "Retrieved", IPHONE)
    drive()
    message.refresh_from_db()
    assert (message.status, len(mmsc.received)) == ("submitted", 2)
    assert codes(message) == ["N501", "N101", "N502"]
    assert message.postbacks.get(code="N502").fields["status-details"] == "after the message had gone on"
    assert CachedHandset.objects.get().handset == world.iphone


def test_a_refused_ddm_is_told_and_the_content_goes_at_once(send: Send, drive: Drive, mmsc: Scripted) -> None:
    mmsc.first(submit_rsp(code=2001))
    message = send(DDM)
    drive()
    message.refresh_from_db()
    assert (message.status, len(mmsc.received)) == ("submitted", 2)
    assert codes(message) == ["E501", "N101"]
    assert message.postbacks.get(code="E501").fields["status-details"] == "2001 said the MMSC"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("Expired", "Message Sent/Expired"),
        ("Rejected", "Message Sent/Rejected"),
        ("NotSupported", "Message Sent/Not Supported"),
        ("Unrecognised", "Message Sent/Failed"),
    ],
)
def test_an_undelivered_ddm_is_told_and_the_content_goes_at_once(
    send: Send, drive: Drive, reported: Reported, status: str, told: str
) -> None:
    message = send(DDM)
    drive()
    reported("M1", status)
    drive()
    message.refresh_from_db()
    assert message.status == "submitted"
    assert codes(message) == ["N501", "E502", "N101"]
    assert message.postbacks.get(code="E502").fields["status"] == told


def test_two_messages_to_one_number_share_one_ddm(send: Send, drive: Drive, reported: Reported, mmsc: Scripted) -> None:
    first = send(DDM)
    drive()
    second = send(DDM)
    drive()
    assert len(mmsc.received) == 1
    assert second.postbacks.get().fields["status-details"] == "shares the DDM of an earlier message"
    reported("M1", "Retrieved", IPHONE)
    drive()
    assert codes(first) == codes(second) == ["N501", "N502", "N101"]
    assert len(mmsc.received) == 3
    assert Discovery.objects.get().status == "delivered"


def test_two_messages_accepted_together_share_one_ddm(send: Send, drive: Drive, mmsc: Scripted) -> None:
    first, second = send(DDM), send(DDM)
    drive()
    assert len(mmsc.received) == 1
    assert [m.postbacks.get().fields.get("status-details") for m in (first, second)] == [
        None,
        "shares the DDM of an earlier message",
    ]


def test_messages_that_share_a_ddm_keep_their_own_deadlines(send: Send, drive: Drive, reported: Reported) -> None:
    short = send(DDM + "<ddm-message-timeout>2</ddm-message-timeout>")
    drive()
    long = send(DDM + "<ddm-message-timeout>60</ddm-message-timeout>")
    drive()
    drive(later(3))
    short.refresh_from_db()
    long.refresh_from_db()
    assert (short.status, long.status) == ("submitted", "discovering")
    reported("M1", "Retrieved", IPHONE)
    drive()
    long.refresh_from_db()
    assert (long.status, long.handset.identity if long.handset else None) == ("submitted", IPHONE)


@pytest.mark.parametrize("outcome", [Outcome.SUBMITTED, Outcome.IN_DOUBT])
def test_a_message_that_joins_while_the_ddm_is_in_flight_keeps_the_discovery_open(
    send: Send, drive: Drive, mmsc: Scripted, outcome: Outcome
) -> None:
    send(DDM + "<ddm-message-timeout>2</ddm-message-timeout>")
    claiming.claim_messages(datetime.now(UTC), 10)
    [ddm] = claiming.claim_discoveries(datetime.now(UTC), 10)
    [(_, attempt)] = attempts.start([(ddm, 1000)], datetime.now(UTC))
    long = send(DDM + "<ddm-message-timeout>60</ddm-message-timeout>")
    claiming.claim_messages(datetime.now(UTC), 10)
    landing = CompletedSubmit(ddm, attempt, SubmitResult(outcome, None, "", "M0"))
    transitions.record_ddm_results([landing], datetime.now(UTC))
    drive(later(3))
    send(DDM + "<ddm-message-timeout>5</ddm-message-timeout>")
    drive(later(4))
    long.refresh_from_db()
    found = Discovery.objects.get()
    assert (found.status, found.due_at, long.status) == (outcome, long.due_at, "discovering")


def test_a_number_gets_a_new_ddm_once_the_old_discovery_is_over(send: Send, drive: Drive, mmsc: Scripted) -> None:
    send(DDM)
    drive()
    drive(later(5.1))
    send(DDM)
    drive(later(6))
    assert [is_ddm(mmsc, index) for index in range(len(mmsc.received))] == [True, False, True]


def test_a_ddm_that_the_mmsc_cannot_take_in_time_is_told_and_never_sent_after(
    send: Send, drive: Drive, mmsc: Scripted
) -> None:
    mmsc.first(submit_rsp(code=3000))
    message = send(DDM + "<ddm-message-timeout>1</ddm-message-timeout>")
    drive()
    assert Discovery.objects.get().status == "accepted"
    drive(later(1.1))
    drive(later(30))
    assert codes(message) == ["E501", "N101"]
    assert [is_ddm(mmsc, index) for index in range(len(mmsc.received))] == [True, False]
    assert Discovery.objects.get().status == "failed"


def test_a_ddm_in_doubt_is_not_sent_again_and_its_report_still_counts(
    send: Send, drive: Drive, reported: Reported, mmsc: Scripted
) -> None:
    mmsc.first("reset")
    message = send(DDM)
    drive()
    assert (Discovery.objects.get().status, codes(message)) == ("in_doubt", [])
    reported("M77", "Retrieved", IPHONE)
    drive(later(0.1))
    message.refresh_from_db()
    assert (message.status, len(mmsc.received)) == ("submitted", 2)
    assert codes(message) == ["N501", "N502", "N101"]


def test_a_report_that_is_not_final_ends_the_doubt_over_a_ddm(
    send: Send, drive: Drive, reported: Reported, mmsc: Scripted
) -> None:
    mmsc.first("reset")
    message = send(DDM)
    drive()
    reported("M77", "Forwarded")
    drive(later(0.1))
    assert (Discovery.objects.get().status, codes(message)) == ("submitted", ["N501"])
    reported("M77", "Retrieved", IPHONE)
    drive(later(0.2))
    assert codes(message) == ["N501", "N502", "N101"]


def test_a_ddm_in_doubt_to_the_end_is_told_as_failed(send: Send, drive: Drive, mmsc: Scripted) -> None:
    mmsc.first("reset")
    message = send(DDM)
    drive()
    drive(later(5.1))
    assert codes(message) == ["E501", "N101"]
    assert message.postbacks.get(code="E501").fields["status-details"] == "the MMSC never answered"


def test_a_doubled_report_of_a_ddm_changes_nothing(send: Send, drive: Drive, reported: Reported) -> None:
    message = send(DDM)
    drive()
    assert [reported("M1", "Retrieved", IPHONE) for _ in range(2)] == [200, 200]
    drive()
    assert codes(message) == ["N501", "N502", "N101"]


def test_a_recognised_device_hint_is_used_at_once(world: SimpleNamespace, send: Send, drive: Drive) -> None:
    message = send(f"{DDM}<device>{IPHONE}</device>")
    drive()
    message.refresh_from_db()
    assert (message.status, message.handset) == ("submitted", world.iphone)
    assert CachedHandset.objects.get().source == "caller"


def test_an_unrecognised_device_hint_is_noted_and_the_number_discovered(send: Send, drive: Drive) -> None:
    message = send(f"{DDM}<device>Nokia 3310</device>")
    drive()
    message.refresh_from_db()
    assert message.status == "discovering"
    assert Handset.objects.get(identity="Nokia 3310").profile is None


def test_a_report_overrules_a_hint_and_no_hint_overrules_a_report(
    world: SimpleNamespace, send: Send, drive: Drive, reported: Reported
) -> None:
    Handset.objects.create(identity=SAMSUNG, profile=world.iphone.profile)
    send(f"<device>{IPHONE}</device>")
    drive()
    reported("M1", "Retrieved", SAMSUNG)
    entry = CachedHandset.objects.get()
    assert (entry.handset.identity, entry.source) == (SAMSUNG, "delivery-report")
    assert entry.previous_handset == world.iphone
    send(f"<device>{IPHONE}</device>")
    assert CachedHandset.objects.get().handset.identity == SAMSUNG


def test_one_ddm_has_one_attempt_however_often_the_workers_run(send: Send, drive: Drive) -> None:
    send(DDM)
    for _ in range(3):
        drive()
    assert Attempt.objects.filter(discovery__isnull=False).count() == 1
