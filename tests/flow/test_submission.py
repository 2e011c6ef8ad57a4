"""Submits to the MMSC: its answers, its silences, and workers that die with a message in hand."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from mms.messages import attempts, claiming, leases, sender, sweeper
from mms.models import Attempt, Carrier, Discovery, Event, Message, Report
from tests.scripted import Answer, Say, Scripted
from tests.wire import IPHONE, Drive, codes, envelope, kinds, submit_rsp

Send = Callable[..., Message]
Reported = Callable[..., int]


def later(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)


def fault(code: int) -> Say:
    detail = f"<RSErrorRsp><Status><StatusCode>{code}</StatusCode></Status></RSErrorRsp>"
    return Say(
        status=500, body=envelope(f"<e:Fault><faultcode>e:Server</faultcode><detail>{detail}</detail></e:Fault>")
    )


@pytest.mark.parametrize(
    ("answer", "status", "outcome", "told"),
    [
        (submit_rsp("X1"), "submitted", "submitted", ["N101"]),
        (submit_rsp("X1", code=1100), "submitted", "submitted", ["N101"]),
        (submit_rsp(code=2001), "failed", "permanent", ["E101"]),
        (fault(2002), "failed", "permanent", ["E101"]),
        (submit_rsp(code=2004), "failed", "content_refused", ["E101"]),
        (submit_rsp(code=3001), "failed", "permanent", ["E101"]),
        (submit_rsp(code=3000), "accepted", "transient", []),
        (fault(4006), "accepted", "transient", []),
        (submit_rsp(code=4000), "accepted", "limited", []),
        (Say(status=500, body=b"oops"), "accepted", "transient", []),
        (Say(status=503), "accepted", "transient", []),
        (Say(status=400), "failed", "permanent", ["E101"]),
        (Say(status=502), "in_doubt", "in_doubt", []),
        (Say(status=200, body=b"<html>"), "in_doubt", "in_doubt", []),
        ("reset", "in_doubt", "in_doubt", []),
        ("hang", "in_doubt", "in_doubt", []),
    ],
)
def test_what_the_mmsc_answers_decides(
    world: SimpleNamespace,
    send: Send,
    drive: Drive,
    mmsc: Scripted,
    answer: Answer,
    status: str,
    outcome: str,
    told: list[str],
) -> None:
    world.carrier.timeout = 1 if answer == "hang" else 30
    world.carrier.save()
    mmsc.first(answer)
    message = send()
    drive()
    message.refresh_from_db()
    assert (message.status, codes(message)) == (status, told)
    attempt = message.attempts.get()
    assert (attempt.outcome, attempt.try_number, attempt.finished_at is not None) == (outcome, 1, True)
    assert len(mmsc.received) == 1


def test_a_carrier_may_give_a_code_another_meaning(
    world: SimpleNamespace, send: Send, drive: Drive, mmsc: Scripted
) -> None:
    world.carrier.code_overrides = {"3003": "transient"}
    world.carrier.save()
    mmsc.first(submit_rsp(code=3003))
    message = send()
    drive()
    message.refresh_from_db()
    assert message.status == "accepted"


def test_a_transient_failure_is_tried_again_on_the_ladder_with_the_same_bytes(
    send: Send, drive: Drive, mmsc: Scripted
) -> None:
    mmsc.first(submit_rsp(code=3000), submit_rsp(code=3000))
    message = send()
    drive()
    drive(later(seconds=29))
    assert len(mmsc.received) == 1
    drive(later(seconds=31))
    assert len(mmsc.received) == 2
    drive(later(seconds=152))
    message.refresh_from_db()
    assert (message.status, codes(message)) == ("submitted", ["N101"])
    assert len({sent.body for sent in mmsc.received}) == 1
    assert [a.try_number for a in message.attempts.all()] == [1, 2, 3]


def test_after_the_whole_ladder_the_message_has_failed(send: Send, drive: Drive, mmsc: Scripted) -> None:
    mmsc.script.clear()
    mmsc.default = submit_rsp(code=3000)
    message = send()
    for hours in (0, 1, 2, 3, 6, 9, 12):
        drive(later(hours=hours))
    message.refresh_from_db()
    assert (message.status, codes(message)) == ("failed", ["E101"])
    assert len(mmsc.received) == 1 + len(attempts.RETRY_LADDER)


def test_a_limited_failure_is_tried_twice_more(send: Send, drive: Drive, mmsc: Scripted) -> None:
    mmsc.script.clear()
    mmsc.default = submit_rsp(code=4000)
    message = send()
    for hours in (0, 1, 2, 3):
        drive(later(hours=hours))
    message.refresh_from_db()
    assert (message.status, len(mmsc.received)) == ("failed", 3)


def test_a_message_that_expires_before_it_could_be_sent_has_failed(send: Send, drive: Drive, mmsc: Scripted) -> None:
    mmsc.first(submit_rsp(code=3000))
    message = send()
    drive()
    drive(later(days=3, minutes=1))
    message.refresh_from_db()
    assert (message.status, codes(message), len(mmsc.received)) == ("failed", ["E101"], 1)
    assert message.postbacks.get().fields["status-details"] == "it expired before it could be sent"


def test_an_mmsc_out_of_reach_is_a_transient_failure(
    world: SimpleNamespace, send: Send, drive: Drive, mmsc: Scripted
) -> None:
    world.carrier.mmsc_url = "http://127.0.0.1:9/mm7"
    world.carrier.save()
    message = send()
    drive()
    message.refresh_from_db()
    assert (message.status, message.attempts.get().outcome) == ("accepted", "transient")


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (None, "retry", "the MMSC did not accept the message; next try at "),  # out of reach
        (Say(status=503), "retry", "the MMSC did not accept the message; next try at "),
        (fault(3000), "retry", "3000; next try at "),
        ("reset", "in-doubt", "the MMSC did not say whether it accepted the message"),
    ],
)
def test_a_customer_is_told_what_the_mmsc_said_and_not_how_we_reach_it(
    world: SimpleNamespace, send: Send, drive: Drive, mmsc: Scripted, answer: Answer | None, kind: str, text: str
) -> None:
    if answer is None:
        Carrier.objects.update(mmsc_url="http://127.0.0.1:9/mm7")
    else:
        mmsc.first(answer)
    message = send()
    drive()
    told = message.events.get(kind=kind).text
    assert re.sub(r"[0-9:]{8}$", "", told) == text
    assert answer or "127.0.0.1" in message.attempts.get().text


def test_what_is_in_doubt_is_never_resent_and_its_report_ends_it(
    send: Send, drive: Drive, reported: Reported, mmsc: Scripted
) -> None:
    mmsc.first("reset")
    message = send()
    drive()
    drive(later(hours=1))
    assert len(mmsc.received) == 1
    reported("never-told", "Retrieved", IPHONE)
    drive(later(seconds=2))
    message.refresh_from_db()
    assert (message.status, codes(message)) == ("delivered", ["N101", "N102"])
    assert message.postbacks.get(code="N101").fields["status-details"] == "confirmed by its delivery report"


def test_a_report_that_is_not_final_ends_the_doubt_and_no_report_after_it_is_an_expiry(
    send: Send, drive: Drive, reported: Reported, mmsc: Scripted
) -> None:
    mmsc.first("reset")
    message = send()
    drive()
    reported("never-told", "Deferred")
    drive(later(seconds=2))
    message.refresh_from_db()
    assert (message.status, codes(message)) == ("submitted", ["N101"])
    assert message.submitted_at is not None
    drive(later(days=3, minutes=1))
    message.refresh_from_db()
    assert (message.status, codes(message)) == ("expired", ["N101", "E102"])


def test_what_was_delivered_although_the_mmsc_had_refused_it_is_not_sent_again(
    send: Send, drive: Drive, reported: Reported, mmsc: Scripted
) -> None:
    mmsc.first(submit_rsp("M0", code=3000))
    message = send()
    drive()
    reported("M0", "Retrieved")
    drive(later(minutes=1))
    message.refresh_from_db()
    assert (message.status, codes(message), len(mmsc.received)) == ("delivered", ["N101", "N102"], 1)


def test_a_report_is_not_given_to_one_of_two_messages_in_doubt(
    send: Send, drive: Drive, reported: Reported, mmsc: Scripted
) -> None:
    mmsc.first("reset", "reset")
    send()
    send()
    drive()
    reported("never-told", "Retrieved")
    drive(later(days=2))
    assert set(Message.objects.values_list("status", flat=True)) == {"in_doubt"}
    assert Report.objects.get().attempt is None


def test_a_report_is_not_given_to_a_message_in_doubt_while_it_may_be_that_of_a_ddm_that_is_over(
    send: Send, drive: Drive, mmsc: Scripted, reported: Reported
) -> None:
    mmsc.first("reset", "reset")
    message = send("<ddm-message-text>What?</ddm-message-text><ddm-message-timeout>1</ddm-message-timeout>")
    drive()
    drive(later(minutes=2))
    Attempt.objects.update(started_at=datetime.now(UTC))  # both before the report, which comes at no chosen moment
    reported("X", "Retrieved", IPHONE)
    drive(later(minutes=3))
    message.refresh_from_db()
    assert (message.status, codes(message)) == ("in_doubt", ["E501"])
    assert Report.objects.get().attempt is None


def test_a_report_that_comes_before_the_expiry_counts_though_both_are_seen_to_after_it(
    send: Send, drive: Drive, mmsc: Scripted, reported: Reported
) -> None:
    mmsc.first("reset")
    message = send()
    drive()
    reported("X", "Retrieved", IPHONE)
    drive(later(days=4))
    message.refresh_from_db()
    assert (message.status, codes(message)) == ("delivered", ["N101", "N102"])


def test_in_doubt_until_it_expires_is_told_as_failed(send: Send, drive: Drive, mmsc: Scripted) -> None:
    mmsc.first("reset")
    message = send()
    drive()
    drive(later(days=3, minutes=1))
    message.refresh_from_db()
    assert (message.status, codes(message)) == ("failed", ["E101"])
    details = message.postbacks.get().fields["status-details"]
    assert details == "the MMSC never answered; the message may have been delivered"


def test_the_customer_is_not_told_where_our_mmsc_is(world: SimpleNamespace, send: Send, drive: Drive) -> None:
    world.carrier.mmsc_url = "http://127.0.0.1:9/mm7"
    world.carrier.save()
    message = send()
    for hours in (0, 1, 2, 3, 4, 8):
        drive(later(hours=hours))
    assert message.postbacks.get().fields["status-details"] == "the MMSC did not accept the message"
    assert "127.0.0.1" in message.attempts.all()[0].text


# --- a carrier that is switched off -----------------------------------------------------------------------------------


def switch(carrier: Carrier, *, on: bool) -> None:
    Carrier.objects.filter(pk=carrier.pk).update(enabled=on)


def test_what_was_accepted_waits_while_its_carrier_is_off_and_goes_on_when_it_is_on_again(
    world: SimpleNamespace, send: Send, drive: Drive, mmsc: Scripted
) -> None:
    messages = [send(), send("<ddm-message-text>Free</ddm-message-text>", to="14044790001")]
    switch(world.carrier, on=False)
    drive(later(hours=1))
    sweeper.fail_expired_at_disabled_carriers(later(hours=1))
    assert ([Message.objects.get(pk=m.pk).status for m in messages], mmsc.received) == (["accepted"] * 2, [])
    switch(world.carrier, on=True)
    drive(later(hours=1))
    assert [Message.objects.get(pk=m.pk).status for m in messages] == ["submitted", "discovering"]
    switch(world.carrier, on=False)
    drive(later(hours=2))
    assert kinds(messages[1])[-1] == "deadline"


def test_what_expires_while_its_carrier_is_off_has_failed(
    world: SimpleNamespace, send: Send, drive: Drive, mmsc: Scripted
) -> None:
    message = send("<ddm-message-text>Free</ddm-message-text>")
    claiming.claim_messages(later(seconds=1), 10)  # it waits for a discovery, whose DDM is due now
    switch(world.carrier, on=False)
    for days in (1, 4):
        drive(later(days=days))
        sweeper.fail_expired_at_disabled_carriers(later(days=days))
    message.refresh_from_db()
    assert (message.status, codes(message), mmsc.received) == ("failed", ["E501", "E101"], [])
    details = message.postbacks.get(code="E101").fields["status-details"]
    assert details == "its carrier was not available before it expired"
    assert Discovery.objects.get().status == "failed"


# --- workers that die: each test stops where a kill would, and looks at the message after the lease ------------------


def test_a_worker_that_dies_before_the_attempt_leaves_a_message_that_is_sent_once(
    send: Send, drive: Drive, mmsc: Scripted
) -> None:
    message = send()
    claiming.claim_messages(datetime.now(UTC), 10)
    drive(later(minutes=1))
    assert mmsc.received == []
    drive(later(minutes=3))
    message.refresh_from_db()
    assert (message.status, len(mmsc.received)) == ("submitted", 1)
    assert "lost" in kinds(message)


def test_a_worker_that_dies_after_the_attempt_leaves_the_message_in_doubt(
    send: Send, drive: Drive, mmsc: Scripted
) -> None:
    message = send()
    claimed, _ = claiming.claim_messages(datetime.now(UTC), 10)
    attempts.start([(claimed[0], 1000)], datetime.now(UTC))
    drive(later(minutes=3))
    message.refresh_from_db()
    assert (message.status, mmsc.received) == ("in_doubt", [])
    assert Attempt.objects.get().outcome == "in_doubt"


def test_a_worker_whose_lease_is_over_sends_nothing(send: Send, drive: Drive, mmsc: Scripted) -> None:
    send()
    slow, _ = claiming.claim_messages(datetime.now(UTC), 10)
    sweeper.sweep(later(minutes=3))
    quick, _ = claiming.claim_messages(later(minutes=3), 10)
    assert attempts.start([(slow[0], 1000)], later(minutes=3)) == []
    assert len(attempts.start([(quick[0], 1000)], later(minutes=3))) == 1


def test_a_worker_that_is_slow_with_some_messages_keeps_the_others_that_it_claimed(send: Send, mmsc: Scripted) -> None:
    for _ in range(16):
        send()
    moment = datetime.now(UTC)

    def slow_clock() -> datetime:
        """Whatever the worker does takes 8 seconds, while another one looks for leases that are over."""
        nonlocal moment
        moment += timedelta(seconds=8)
        sweeper.sweep(moment)
        return moment

    sender.run(slow_clock)
    assert not Event.objects.filter(kind="lost").exists()
    assert len(mmsc.received) == 16


def test_a_claim_takes_no_more_than_there_is_room_for(world: SimpleNamespace, send: Send) -> None:
    for operator in range(3):
        Carrier.objects.create(
            name=f"c{operator}", slug=f"c{operator}", operator_id=operator, mmsc_url=world.carrier.mmsc_url
        )
        for _ in range(4):
            send(f"<operator-id>{operator}</operator-id>")
    now = datetime.now(UTC)
    assert len(claiming.claim_messages(now, per_carrier=4, room=5)[0]) == 5
    assert len(claiming.claim_messages(now, per_carrier=4)[0]) == 7
    assert claiming.claim_messages(now, per_carrier=4) == ([], 0)


def test_a_message_that_kills_its_workers_fails_in_the_end(send: Send, mmsc: Scripted) -> None:
    message = send()
    for lost in range(leases.LOSSES_MAX):
        claiming.claim_messages(later(minutes=5 * lost), 10)
        sweeper.sweep(later(minutes=5 * lost + 3))
    message.refresh_from_db()
    assert (message.status, codes(message)) == ("failed", ["E101"])


def test_content_that_cannot_be_read_fails_its_message_alone_and_visibly(
    world: SimpleNamespace, send: Send, drive: Drive, mmsc: Scripted
) -> None:
    broken = send()
    world.medium.file.storage.delete(world.medium.file.name)
    for minutes in (0, 1, 2):
        drive(later(minutes=minutes))
    broken.refresh_from_db()
    assert (broken.status, kinds(broken).count("unprepared")) == ("failed", 3)
    assert broken.postbacks.get().fields["status-details"] == "it could not be prepared"
    assert "No such file" in broken.events.filter(kind="unprepared")[0].text
