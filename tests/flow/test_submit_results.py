"""Results of submits: the MMSC's answers, retries, and messages in doubt."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from mms.models import Attempt, Carrier, Message, Report
from tests.scripted import Answer, Response, ScriptedServer
from tests.wire import IPHONE, RunWorkers, envelope, postback_codes, submit_rsp

Send = Callable[..., Message]
SendReport = Callable[..., int]


def later(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)


def fault(code: int) -> Response:
    detail = f"<RSErrorRsp><Status><StatusCode>{code}</StatusCode></Status></RSErrorRsp>"
    return Response(
        status=500, body=envelope(f"<e:Fault><faultcode>e:Server</faultcode><detail>{detail}</detail></e:Fault>")
    )


@pytest.mark.parametrize(
    ("answer", "status", "outcome", "expected_codes"),
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
        (Response(status=500, body=b"oops"), "accepted", "transient", []),
        (Response(status=503), "accepted", "transient", []),
        (Response(status=400), "failed", "permanent", ["E101"]),
        (Response(status=502), "in_doubt", "in_doubt", []),
        (Response(status=200, body=b"<html>"), "in_doubt", "in_doubt", []),
        ("reset", "in_doubt", "in_doubt", []),
        ("hang", "in_doubt", "in_doubt", []),
    ],
)
def test_mmsc_answer_decides_the_outcome(
    records: SimpleNamespace,
    send: Send,
    run_workers: RunWorkers,
    mmsc: ScriptedServer,
    answer: Answer,
    status: str,
    outcome: str,
    expected_codes: list[str],
) -> None:
    records.carrier.timeout = 1 if answer == "hang" else 30
    records.carrier.save()
    mmsc.answer_next(answer)
    message = send()
    run_workers()
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == (status, expected_codes)
    attempt = message.attempts.get()
    assert (attempt.outcome, attempt.try_number, attempt.finished_at is not None) == (outcome, 1, True)
    assert len(mmsc.received) == 1


@pytest.mark.parametrize(
    ("answer", "http_status", "kind", "text"),
    [
        (submit_rsp(code=2001), 200, "failed", "2001 said the MMSC"),
        (Response(status=401, body=b"<html>Who are you?</html>"), 401, "retry", "the message (HTTP 401); next try at "),
        (Response(status=403), 403, "retry", "the MMSC did not accept the message (HTTP 403); next try at "),
        (Response(status=400), 400, "failed", "the MMSC did not accept the message (HTTP 400)"),
        (Response(status=502), 502, "in-doubt", "whether it accepted the message (HTTP 502)"),
        (fault(4006), 500, "retry", "4006; next try at "),
        ("reset", None, "in-doubt", "the MMSC did not say whether it accepted the message"),
    ],
)
def test_http_status_of_the_answer_is_kept_and_shown(
    send: Send,
    run_workers: RunWorkers,
    mmsc: ScriptedServer,
    answer: Answer,
    http_status: int | None,
    kind: str,
    text: str,
) -> None:
    mmsc.answer_next(answer)
    message = send()
    run_workers()
    assert message.attempts.get().http_status == http_status
    assert text in message.events.get(kind=kind).text
    assert ("HTTP" in message.events.get(kind=kind).text) == ("HTTP" in text)


def test_carrier_code_overrides_apply(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    records.carrier.code_overrides = {"3003": "transient"}
    records.carrier.save()
    mmsc.answer_next(submit_rsp(code=3003))
    message = send()
    run_workers()
    message.refresh_from_db()
    assert message.status == "accepted"


def test_transient_failure_is_retried_with_the_same_bytes(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next(submit_rsp(code=3000), submit_rsp(code=3000))
    message = send()
    run_workers()
    run_workers(later(seconds=29))
    assert len(mmsc.received) == 1
    run_workers(later(seconds=31))
    assert len(mmsc.received) == 2
    run_workers(later(seconds=152))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("submitted", ["N101"])
    assert len({sent.body for sent in mmsc.received}) == 1
    assert [a.try_number for a in message.attempts.all()] == [1, 2, 3]


def test_limited_failure_is_retried_twice(send: Send, run_workers: RunWorkers, mmsc: ScriptedServer) -> None:
    mmsc.script.clear()
    mmsc.default = submit_rsp(code=4000)
    message = send()
    for hours in (0, 1, 2, 3):
        run_workers(later(hours=hours))
    message.refresh_from_db()
    assert (message.status, len(mmsc.received)) == ("failed", 3)


def test_limited_failure_after_others_is_retried_twice(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next(*[Response(status=503)] * 2, *[submit_rsp(code=4000)] * 3)
    message = send()
    seen = []
    for hours in range(6):
        run_workers(later(hours=hours))
        seen.append(Message.objects.get(pk=message.pk).status)
    assert (seen, len(mmsc.received)) == (["accepted"] * 4 + ["failed"] * 2, 5)


def test_message_fails_if_it_expires_unsent(send: Send, run_workers: RunWorkers, mmsc: ScriptedServer) -> None:
    mmsc.answer_next(submit_rsp(code=3000))
    message = send()
    run_workers()
    run_workers(later(days=3, minutes=6))
    message.refresh_from_db()
    assert (message.status, postback_codes(message), len(mmsc.received)) == ("failed", ["E101"], 1)
    assert message.postbacks.get().fields["status-details"] == "it expired before it could be sent"


def test_unreachable_mmsc_is_tried_again(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    records.carrier.mmsc_url = "http://127.0.0.1:9/mm7"
    records.carrier.save()
    message = send()
    run_workers()
    message.refresh_from_db()
    assert (message.status, message.attempts.get().outcome) == ("accepted", "unreachable")


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (None, "unreachable", "the MMSC is out of reach; tried again until the message expires"),
        (Response(status=503), "retry", "the MMSC did not accept the message (HTTP 503); next try at "),
        (fault(3000), "retry", "3000; next try at "),
        ("reset", "in-doubt", "the MMSC did not say whether it accepted the message"),
    ],
)
def test_timeline_shows_the_mmsc_answer_but_not_its_address(
    records: SimpleNamespace,
    send: Send,
    run_workers: RunWorkers,
    mmsc: ScriptedServer,
    answer: Answer | None,
    kind: str,
    text: str,
) -> None:
    if answer is None:
        Carrier.objects.update(mmsc_url="http://127.0.0.1:9/mm7")
    else:
        mmsc.answer_next(answer)
    message = send()
    run_workers()
    shown = message.events.get(kind=kind).text
    assert re.sub(r"[0-9:]{8}$", "", shown) == text
    assert answer or "127.0.0.1" in message.attempts.get().text


def test_message_in_doubt_is_resolved_by_its_report(
    send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next("reset")
    message = send()
    run_workers()
    run_workers(later(hours=1))
    assert len(mmsc.received) == 1
    send_report("unknown-id", "Retrieved", IPHONE)
    run_workers(later(seconds=2))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("delivered", ["N101", "N102"])
    assert message.postbacks.get(code="N101").fields["status-details"] == "confirmed by its delivery report"


def test_intermediate_report_confirms_a_message_in_doubt(
    send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next("reset")
    message = send()
    run_workers()
    send_report("unknown-id", "Deferred")
    run_workers(later(seconds=2))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("submitted", ["N101"])
    assert message.submitted_at is not None
    run_workers(later(days=3, minutes=6))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("expired", ["N101", "E102"])


def statuses(*messages: Message) -> list[str]:
    return [Message.objects.get(pk=message.pk).status for message in messages]


def test_delivered_message_is_not_retried_after_a_refusal(
    send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next(submit_rsp("M0", code=3000))
    message = send()
    run_workers()
    send_report("M0", "Retrieved")
    run_workers(later(minutes=1))
    message.refresh_from_db()
    assert (message.status, postback_codes(message), len(mmsc.received)) == ("delivered", ["N101", "N102"], 1)


def test_report_matches_neither_of_two_messages_in_doubt(
    send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next("reset", "reset")
    send()
    send()
    run_workers()
    send_report("unknown-id", "Retrieved")
    run_workers(later(days=2))
    assert set(Message.objects.values_list("status", flat=True)) == {"in_doubt"}
    assert Report.objects.get().attempt is None


def test_report_that_may_be_of_an_ended_ddm_is_not_matched(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, send_report: SendReport
) -> None:
    mmsc.answer_next("reset", "reset")
    message = send("<ddm-message-text>What?</ddm-message-text><ddm-message-timeout>1</ddm-message-timeout>")
    run_workers()
    run_workers(later(minutes=2))
    Attempt.objects.update(started_at=datetime.now(UTC))  # both before the report, which arrives at the present time
    send_report("X", "Retrieved", IPHONE)
    run_workers(later(minutes=3))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("in_doubt", ["E501"])
    assert Report.objects.get().attempt is None


def test_unknown_report_matches_nothing_beside_a_submitted_message(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, send_report: SendReport
) -> None:
    mmsc.answer_next("reset", submit_rsp("M2"))
    doubtful = send()
    run_workers()
    submitted = send()
    run_workers()
    assert send_report("unknown-id", "Retrieved") == 200
    run_workers(later(hours=1))
    assert statuses(doubtful, submitted) == ["in_doubt", "submitted"]
    assert send_report("M2", "Retrieved") == 200
    run_workers(later(days=1))
    assert statuses(doubtful, submitted) == ["delivered", "delivered"]  # nothing else can be meant any more


def test_report_before_expiry_counts_in_a_late_sweep(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, send_report: SendReport
) -> None:
    mmsc.answer_next("reset")
    message = send()
    run_workers()
    send_report("X", "Retrieved", IPHONE)
    run_workers(later(days=4))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("delivered", ["N101", "N102"])


def test_message_in_doubt_fails_at_its_expiry(send: Send, run_workers: RunWorkers, mmsc: ScriptedServer) -> None:
    mmsc.answer_next("reset")
    message = send()
    run_workers()
    run_workers(later(days=3, minutes=6))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("failed", ["E101"])
    details = message.postbacks.get().fields["status-details"]
    assert details == "the MMSC never answered; the message may have been delivered"


def test_postback_does_not_contain_the_mmsc_address(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers
) -> None:
    records.carrier.mmsc_url = "http://127.0.0.1:9/mm7"
    records.carrier.save()
    message = send()
    for wait in (timedelta(), timedelta(days=3, seconds=-20)):
        run_workers(later(seconds=wait.total_seconds()))
    assert message.postbacks.get().fields["status-details"] == "the MMSC did not accept the message"
    assert "127.0.0.1" in message.attempts.all()[0].text
