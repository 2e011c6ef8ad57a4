"""Discovery: when a DDM is sent, and the effect of its result, its report and the deadline."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from handsets.models import CachedHandset, Handset
from mms.models import Attempt, Discovery, Message
from tests.scripted import ScriptedServer
from tests.wire import IPHONE, RunWorkers, event_kinds, postback_codes, submit_rsp

Send = Callable[..., Message]
SendReport = Callable[..., int]

DDM = "<ddm-message-text>What is your telephone?</ddm-message-text>"
FORCED = DDM + "<ddm-force>true</ddm-force>"
SAMSUNG = "http://wap.samsungmobile.com/uaprof/SM-A300FU.xml"


def cached(handset: Handset, days: int = 1, source: str = "delivery-report") -> None:
    seen = datetime.now(UTC) - timedelta(days=days)
    CachedHandset.objects.create(number="14044790000", handset=handset, source=source, first_seen=seen, last_seen=seen)


def later(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def is_ddm(mmsc: ScriptedServer, index: int) -> bool:
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
def test_ddm_depends_on_cache_request_and_force(
    records: SimpleNamespace,
    send: Send,
    run_workers: RunWorkers,
    mmsc: ScriptedServer,
    known: str,
    asked: str,
    *,
    ddm: bool,
) -> None:
    if known != "unknown":
        cached(records.iphone, days=181 if known == "too old" else 179)
    message = send(asked)
    run_workers()
    message.refresh_from_db()
    assert (message.status, is_ddm(mmsc, 0)) == (("discovering", True) if ddm else ("submitted", False))
    if not ddm:
        assert message.handset == (records.iphone if known == "known" else None)


def test_second_message_to_a_known_number_needs_no_ddm(
    send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    send(DDM)
    run_workers()
    send_report("M1", "Retrieved", IPHONE)
    run_workers()
    second = send(DDM)
    run_workers()
    assert [is_ddm(mmsc, index) for index in range(len(mmsc.received))] == [True, False, False]
    assert postback_codes(second) == ["N101"]


def test_report_without_identity_ends_the_wait(
    send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    message = send(DDM)
    run_workers()
    send_report("M1", "Retrieved", "Default")
    run_workers()
    message.refresh_from_db()
    assert (message.status, message.handset) == ("submitted", None)
    assert postback_codes(message) == ["N501", "N502", "N101"]
    assert not CachedHandset.objects.exists()


def test_deadline_sends_with_the_generic_profile(send: Send, run_workers: RunWorkers, mmsc: ScriptedServer) -> None:
    message = send(DDM + "<ddm-message-timeout>10</ddm-message-timeout>")
    run_workers()
    run_workers(later(9.9))
    message.refresh_from_db()
    assert message.status == "discovering"
    run_workers(later(10.1))
    message.refresh_from_db()
    assert (message.status, message.handset) == ("submitted", None)
    assert event_kinds(message) == ["accepted", "discovering", "ddm-sent", "deadline", "adapted", "submitted"]
    assert postback_codes(message) == ["N501", "N101"]


def test_longest_wait_leaves_three_days_for_the_message(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    message = send(DDM + "<ddm-message-timeout>4320</ddm-message-timeout>")
    run_workers()
    deadline = later(4321)
    run_workers(deadline)
    assert postback_codes(message) == ["N501", "N101"]
    message.refresh_from_db()
    assert message.expires_at - deadline > timedelta(days=3, minutes=-2)
    assert f"<ExpiryDate>{message.expires_at:%Y-%m-%dT%H:%M:%SZ}</ExpiryDate>".encode() in mmsc.received[1].body


def test_submitted_expiry_is_at_most_three_days(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    cached(records.iphone)
    send(DDM + "<ddm-message-timeout>4320</ddm-message-timeout>")
    now = datetime.now(UTC) + timedelta(seconds=1)
    run_workers(now)
    assert f"<ExpiryDate>{now + timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}</ExpiryDate>".encode() in mmsc.received[0].body


def test_unanswered_forced_discovery_uses_the_cached_handset(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers
) -> None:
    cached(records.iphone)
    message = send(FORCED)
    run_workers()
    run_workers(later(5.1))
    message.refresh_from_db()
    assert (message.status, message.handset) == ("submitted", records.iphone)


def test_late_report_fills_the_cache_and_moves_nothing(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    message = send(DDM)
    run_workers()
    run_workers(later(5.1))
    send_report("M1", "Retrieved", IPHONE)
    run_workers()
    message.refresh_from_db()
    assert (message.status, len(mmsc.received)) == ("submitted", 2)
    assert postback_codes(message) == ["N501", "N101", "N502"]
    assert message.postbacks.get(code="N502").fields["status-details"] == "after the wait for it had ended"
    assert CachedHandset.objects.get().handset == records.iphone


def test_refused_ddm_sends_the_message_at_once(send: Send, run_workers: RunWorkers, mmsc: ScriptedServer) -> None:
    mmsc.answer_next(submit_rsp(code=2001))
    message = send(DDM)
    run_workers()
    message.refresh_from_db()
    assert (message.status, len(mmsc.received)) == ("submitted", 2)
    assert postback_codes(message) == ["E501", "N101"]
    assert message.postbacks.get(code="E501").fields["status-details"] == "2001 said the MMSC"


@pytest.mark.parametrize(
    ("status", "status_text"),
    [
        ("Expired", "Message Sent/Expired"),
        ("Rejected", "Message Sent/Rejected"),
        ("NotSupported", "Message Sent/Not Supported"),
        ("Unrecognised", "Message Sent/Failed"),
    ],
)
def test_undelivered_ddm_sends_the_message_at_once(
    send: Send, run_workers: RunWorkers, send_report: SendReport, status: str, status_text: str
) -> None:
    message = send(DDM)
    run_workers()
    send_report("M1", status)
    run_workers()
    message.refresh_from_db()
    assert message.status == "submitted"
    assert postback_codes(message) == ["N501", "E502", "N101"]
    assert message.postbacks.get(code="E502").fields["status"] == status_text


def test_ddm_not_accepted_by_the_deadline_is_never_sent(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next(submit_rsp(code=3000))
    message = send(DDM + "<ddm-message-timeout>1</ddm-message-timeout>")
    run_workers()
    assert Discovery.objects.get().status == "accepted"
    run_workers(later(1.1))
    run_workers(later(30))
    assert postback_codes(message) == ["E501", "N101"]
    assert [is_ddm(mmsc, index) for index in range(len(mmsc.received))] == [True, False]
    assert Discovery.objects.get().status == "failed"


def test_ddm_in_doubt_is_not_resent_and_its_report_counts(
    send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next("reset")
    message = send(DDM)
    run_workers()
    assert (Discovery.objects.get().status, postback_codes(message)) == ("in_doubt", [])
    send_report("M77", "Retrieved", IPHONE)
    run_workers(later(0.1))
    message.refresh_from_db()
    assert (message.status, len(mmsc.received)) == ("submitted", 2)
    assert postback_codes(message) == ["N501", "N502", "N101"]


def test_intermediate_report_confirms_a_ddm_in_doubt(
    send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next("reset")
    message = send(DDM)
    run_workers()
    send_report("M77", "Forwarded")
    run_workers(later(0.1))
    assert (Discovery.objects.get().status, postback_codes(message)) == ("submitted", ["N501"])
    send_report("M77", "Retrieved", IPHONE)
    run_workers(later(0.2))
    assert postback_codes(message) == ["N501", "N502", "N101"]


def test_refused_but_delivered_ddm_is_not_sent_again(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next(submit_rsp("D1", code=3000))
    message = send(DDM)
    run_workers()
    assert send_report("D1", "Retrieved", IPHONE) == 200
    run_workers(later(1))
    message.refresh_from_db()
    assert [is_ddm(mmsc, index) for index in range(len(mmsc.received))] == [True, False]
    assert (message.handset, postback_codes(message)) == (records.iphone, ["N501", "N502", "N101"])
    assert Discovery.objects.get().status == "delivered"


def test_ddm_in_doubt_at_the_deadline_is_reported_as_failed(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next("reset")
    message = send(DDM)
    run_workers()
    run_workers(later(5.1))
    assert postback_codes(message) == ["E501", "N101"]
    assert message.postbacks.get(code="E501").fields["status-details"] == "the MMSC never answered"


def test_repeated_report_of_a_ddm_changes_nothing(send: Send, run_workers: RunWorkers, send_report: SendReport) -> None:
    message = send(DDM)
    run_workers()
    assert [send_report("M1", "Retrieved", IPHONE) for _ in range(2)] == [200, 200]
    run_workers()
    assert postback_codes(message) == ["N501", "N502", "N101"]


def test_device_hint_with_a_profile_replaces_the_ddm(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers
) -> None:
    message = send(f"{DDM}<device>{IPHONE}</device>")
    run_workers()
    message.refresh_from_db()
    assert (message.status, message.handset) == ("submitted", records.iphone)
    assert CachedHandset.objects.get().source == "caller"


def test_device_hint_without_a_profile_needs_a_ddm(send: Send, run_workers: RunWorkers) -> None:
    message = send(f"{DDM}<device>Nokia 3310</device>")
    run_workers()
    message.refresh_from_db()
    assert message.status == "discovering"
    assert Handset.objects.get(identity="Nokia 3310").profile is None


def test_report_overrides_a_device_hint(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport
) -> None:
    Handset.objects.create(identity=SAMSUNG, profile=records.iphone.profile)
    send(f"<device>{IPHONE}</device>")
    run_workers()
    send_report("M1", "Retrieved", SAMSUNG)
    entry = CachedHandset.objects.get()
    assert (entry.handset.identity, entry.source) == (SAMSUNG, "delivery-report")
    assert entry.previous_handset == records.iphone
    send(f"<device>{IPHONE}</device>")
    assert CachedHandset.objects.get().handset.identity == SAMSUNG


def test_ddm_is_attempted_once(send: Send, run_workers: RunWorkers) -> None:
    send(DDM)
    for _ in range(3):
        run_workers()
    assert Attempt.objects.filter(discovery__isnull=False).count() == 1
