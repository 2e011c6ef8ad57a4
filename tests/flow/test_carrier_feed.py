"""Carriers whose MMSC does not answer: submits to them pause, one probe at a time is sent, and the rest waits."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import connection

from mms.messages import claiming, feed, sender, sweeper
from mms.models import Carrier, CarrierFeed, Message
from mms.runtime import send_loop
from tests.flow.threads import run_in_thread
from tests.processes.platform_under_test import eventually
from tests.scripted import Answer, Response, ScriptedServer
from tests.wire import RunWorkers, envelope, postback_codes, submit_rsp

Send = Callable[..., Message]

DDM = "<ddm-message-text>What is your telephone?</ddm-message-text>"
OUT_OF_REACH = "http://127.0.0.1:9/mm7"
TRIAL = sender.LIMITS.trial or 0
RESETS: tuple[Answer, ...] = ("reset",) * 20


def later(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)


def send_many(send: Send, count: int, extra: str = "") -> None:
    for number in range(count):
        send(extra, to=f"140447900{number:02}")


def count_by_status() -> dict[str, int]:
    statuses = list(Message.objects.values_list("status", flat=True))
    return {status: statuses.count(status) for status in set(statuses)}


@pytest.mark.parametrize("answer", ["reset", Response(status=504), Response(body=b"<html>It works!</html>")])
def test_unanswered_submits_pause_the_carrier(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, answer: Answer
) -> None:
    mmsc.answer_next(*[answer] * 20)
    send_many(send, 20)
    run_workers()
    assert count_by_status() == {"in_doubt": TRIAL, "accepted": 20 - TRIAL}
    run_workers(later(seconds=9))
    assert len(mmsc.received) == TRIAL


def test_probe_without_an_answer_begins_a_longer_pause(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next(*RESETS)
    send_many(send, 20)
    run_workers()
    start, received = datetime.now(UTC), []
    for seconds in (11, 12, 40, 42, 101, 103, 222, 224, 345):
        run_workers(start + timedelta(seconds=seconds))
        received.append(len(mmsc.received) - TRIAL)
    assert received == [1, 1, 1, 2, 2, 3, 3, 4, 5]
    assert CarrierFeed.objects.get().failures == TRIAL + 5


def test_answered_probe_resumes_the_carrier(send: Send, run_workers: RunWorkers, mmsc: ScriptedServer) -> None:
    mmsc.answer_next(*RESETS[:TRIAL])
    send_many(send, 20)
    run_workers()
    run_workers(later(seconds=11))
    assert count_by_status() == {"in_doubt": TRIAL, "submitted": 20 - TRIAL}
    assert (CarrierFeed.objects.get().failures, CarrierFeed.objects.get().paused_until) == (0, None)


def test_refusal_is_an_answer(send: Send, run_workers: RunWorkers, mmsc: ScriptedServer) -> None:
    mmsc.answer_next(*RESETS[:TRIAL], Response(status=503))
    send_many(send, 20)
    run_workers()
    run_workers(later(seconds=11))
    assert count_by_status() == {"in_doubt": TRIAL, "accepted": 1, "submitted": 20 - TRIAL - 1}


def test_slow_mmsc_is_trusted_by_the_next_time_slice(
    send: Send, mmsc: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_loop, "TRUST", 0.0)  # so that only the latency counts
    mmsc.answering.clear()
    send_many(send, 40)
    loop = sender.send_loop()
    with loop.in_flight:
        loop.claim()
        slow_until = time.monotonic() + 3
        eventually(lambda: time.monotonic() > slow_until)
        assert len(loop.in_flight.keys) == TRIAL
        mmsc.answering.set()
        loop._drain()
    loop = sender.send_loop()
    with loop.in_flight:
        loop.claim()
        assert len(loop.in_flight.keys) > TRIAL
        loop._drain()


def test_single_unanswered_submits_do_not_pause(send: Send, run_workers: RunWorkers, mmsc: ScriptedServer) -> None:
    for position in range(3 * feed.FAILURES_MAX):
        mmsc.answer_next("reset" if position % feed.FAILURES_MAX else submit_rsp(f"X{position}"))
        send(to=f"140447900{position:02}")
        run_workers()
    assert len(mmsc.received) == 3 * feed.FAILURES_MAX


def test_late_failures_do_not_pause_a_resumed_carrier(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    CarrierFeed.objects.create(
        carrier=records.carrier, changed_at=later(hours=1)
    )  # it resumed after these submits began
    mmsc.answer_next(*RESETS[: feed.FAILURES_MAX])
    send_many(send, feed.FAILURES_MAX)
    run_workers()
    assert (CarrierFeed.objects.get().failures, CarrierFeed.objects.get().paused_until) == (0, None)


@pytest.mark.parametrize("obstacle", ["expired", "unfit", "discovery"])
def test_probe_that_needs_no_submit_is_given_back(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, obstacle: str
) -> None:
    CarrierFeed.objects.create(
        carrier=records.carrier, failures=5, pauses=1, paused_until=later(), changed_at=later(seconds=-10)
    )
    first = send(DDM if obstacle == "discovery" else "")
    send(to="14044790001")
    if obstacle == "expired":
        Message.objects.filter(pk=first.pk).update(expires_at=later())
    if obstacle == "unfit":
        slide = records.template.slides.get(position=2)
        slide.text = "{{long|short}}"
        slide.save()
        Message.objects.filter(pk=first.pk).update(data={"long": "x" * 3_000_000})
    run_workers()
    expected = {"expired": "failed", "unfit": "failed", "discovery": "discovering"}[obstacle]
    assert Message.objects.get(pk=first.pk).status == expected
    assert Message.objects.latest("pk").status == "submitted"
    assert CarrierFeed.objects.get().failures == 0


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_only_one_of_many_workers_claims_the_probe(records: SimpleNamespace, send: Send) -> None:
    send_many(send, 20)
    CarrierFeed.objects.create(carrier=records.carrier, failures=5, pauses=1, paused_until=later())
    claimed: list[int] = []
    gate = threading.Barrier(8)

    def claim() -> None:
        connection.ensure_connection()
        gate.wait()
        claimed.extend(message.pk for message in claiming.claim_messages(later(seconds=1), 64)[0])

    threads = [run_in_thread(claim, []) for _ in range(8)]
    for thread in threads:
        thread.join()
    assert len(claimed) == 1


def test_message_that_expires_at_a_paused_carrier_fails(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    message = send()
    CarrierFeed.objects.create(carrier=records.carrier, failures=5, pauses=1, paused_until=later(days=9))
    run_workers(later(days=4))
    sweeper.fail_expired_at_disabled_carriers(later(days=4))
    message.refresh_from_db()
    assert (message.status, postback_codes(message), mmsc.received) == ("failed", ["E101"], [])


def test_throughput_covers_messages_and_ddms_together(records: SimpleNamespace, send: Send) -> None:
    Carrier.objects.update(throughput=20)  # two rows a claim, each for a nineteenth of a second
    send_many(send, 2, DDM)
    now = later()
    assert claiming.claim_messages(now, 64) == ([], 2)  # they wait for their DDMs, so their grants are given back
    for number in range(10, 14):
        send(to=f"140447900{number}")
    now = later(seconds=1)
    assert len(claiming.claim_discoveries(now, 64)[0]) == 2
    claims = [claiming.claim_messages(now + timedelta(milliseconds=wait), 64) for wait in (0, 104, 106, 107, 212)]
    assert [len(claimed) for claimed, _ in claims] == [0, 0, 2, 0, 2]
    assert [due for _, due in claims] == [1, 1, 2, 1, 2]  # one shows that more is due


def test_give_back_ends_no_pause_that_began_later(records: SimpleNamespace, send: Send) -> None:
    Carrier.objects.update(throughput=20)
    send_many(send, 2)
    now = later()
    claimed, _ = claiming.claim_messages(now, 64)
    paused_until = now + timedelta(minutes=2)
    CarrierFeed.objects.update(failures=3, pauses=4, paused_until=paused_until, changed_at=now)
    feed.give_back(claimed[:1], now)
    assert CarrierFeed.objects.get().paused_until == paused_until


def test_late_give_back_keeps_the_throughput(records: SimpleNamespace, send: Send) -> None:
    Carrier.objects.update(throughput=10)
    send_many(send, 15)
    start = later()
    unfit, _ = claiming.claim_messages(start, 64)
    claims = []
    for tick in range(100):
        if tick == 55:
            feed.give_back(unfit, start + timedelta(seconds=1.55))
        claims += claiming.claim_messages(start + timedelta(seconds=1 + tick / 100), 64)[0]
    assert len(claims) == 10


def test_expired_messages_use_up_no_throughput(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    Carrier.objects.update(throughput=10)
    send_many(send, 60)
    expired = Message.objects.order_by("due_at").values("pk")[:50]
    Message.objects.filter(pk__in=list(expired.values_list("pk", flat=True))).update(expires_at=later())
    now, sent = later(seconds=1), []
    for seconds in range(10):
        sent += claiming.claim_messages(now + timedelta(seconds=seconds), 64)[0]
    assert count_by_status() == {"failed": 50, "sending": 10}
    assert len(sent) == 10


# --- connections that fail, and refusals, until the expiry ----------------------------------------------------------


def test_long_outage_fails_nothing_that_has_time_left(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    Carrier.objects.update(mmsc_url=OUT_OF_REACH)
    send_many(send, 5)
    for hours in (0, 1, 2, 2.8, 3, 12, 24, 48, 71):
        run_workers(later(hours=hours))
    assert count_by_status() == {"accepted": 5}
    assert {message.events.filter(kind="unreachable").count() for message in Message.objects.all()} == {1}
    Carrier.objects.update(mmsc_url=records.carrier.mmsc_url)
    run_workers(later(hours=71.5))
    assert (count_by_status(), len(mmsc.received)) == ({"submitted": 5}, 5)


def test_failed_connections_use_up_no_retry(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    Carrier.objects.update(mmsc_url=OUT_OF_REACH)
    message = send()
    for minutes in range(0, 60, 3):
        run_workers(later(minutes=minutes))
    Carrier.objects.update(mmsc_url=records.carrier.mmsc_url)
    mmsc.script.clear()
    mmsc.default = submit_rsp(code=4000)
    for hours in (1, 2, 3, 4):
        run_workers(later(hours=hours))
    message.refresh_from_db()
    assert (message.status, message.refusals, len(mmsc.received)) == ("failed", 3, 3)
    assert message.tries == 20 + 3


def test_unreachable_message_fails_at_its_expiry(records: SimpleNamespace, send: Send, run_workers: RunWorkers) -> None:
    Carrier.objects.update(mmsc_url=OUT_OF_REACH)
    message = send()
    for days in (0, 1, 2, 3.1):
        run_workers(later(days=days))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("failed", ["E101"])


def test_last_retry_step_is_repeated_until_the_expiry(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    mmsc.script.clear()
    mmsc.default = Response(status=503)
    message, start = send(), datetime.now(UTC) + timedelta(seconds=1)
    for hours in range(3 * 24 + 2):
        run_workers(start + timedelta(hours=hours))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("failed", ["E101"])
    assert 30 < len(mmsc.received) < 40  # every two hours of three days, and the first steps


def test_refused_message_is_sent_once_the_mmsc_accepts(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next(*[Response(status=503, body=envelope(""))] * 9)
    message, start = send(), datetime.now(UTC) + timedelta(seconds=1)
    for hours in range(24):
        run_workers(start + timedelta(hours=hours))
    message.refresh_from_db()
    assert (message.status, postback_codes(message), len(mmsc.received)) == ("submitted", ["N101"], 10)
