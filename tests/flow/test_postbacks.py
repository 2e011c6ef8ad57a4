"""Postbacks: order within a message, retries, giving up, limits for each account."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from billing.models import Account
from mms.models import Message, Postback
from mms.postbacks import notifier, outbox
from tests.scripted import Response, ScriptedServer, serving
from tests.wire import IPHONE, RunWorkers

Send = Callable[..., Message]
SendReport = Callable[..., int]


def later(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)


def received(customer: ScriptedServer) -> list[str]:
    return [sent.body.partition(b"<code>")[2][:4].decode() for sent in customer.received]


def test_later_postback_waits_for_the_earlier_one(
    send: Send, run_workers: RunWorkers, send_report: SendReport, customer: ScriptedServer
) -> None:
    customer.answer_next(Response(status=500))
    send()
    run_workers()
    send_report("M1", "Retrieved", IPHONE)
    run_workers(later(minutes=4.9))
    assert received(customer) == ["N101"]
    run_workers(later(minutes=5.1))
    assert received(customer) == ["N101", "N101", "N102"]
    assert {p.status for p in Postback.objects.all()} == {"taken"}


@pytest.mark.parametrize(
    "answer", [Response(status=500), Response(status=201), Response(status=302), Response(status=404), "reset"]
)
def test_any_status_but_200_is_retried_with_the_same_event_id(
    send: Send, run_workers: RunWorkers, customer: ScriptedServer, answer: Response
) -> None:
    customer.answer_next(answer)
    send()
    run_workers()
    run_workers(later(minutes=5.1))
    first, second = customer.received
    assert first.body == second.body
    assert first.headers["x-mms-event-id"] == second.headers["x-mms-event-id"]
    assert (first.headers["x-mms-attempt"], second.headers["x-mms-attempt"]) == ("1", "2")


def test_postback_is_given_up_after_five_retries(
    send: Send, run_workers: RunWorkers, send_report: SendReport, customer: ScriptedServer
) -> None:
    customer.answer_next(*[Response(status=500, body=b"no")] * 6)
    message = send()
    run_workers()
    send_report("M1", "Retrieved")
    for minutes in range(0, 60, 6):
        run_workers(later(minutes=minutes))
    assert received(customer) == ["N101"] * 6 + ["N102", "E999"]
    given_up, delivered, e999 = message.postbacks.all()
    assert (given_up.status, given_up.due_at, delivered.status, e999.status) == ("given-up", None, "taken", "taken")
    assert [(a.http_status, a.answer) for a in given_up.attempts.all()] == [(500, "no")] * 6


def test_first_2_kb_of_the_reply_are_stored(send: Send, run_workers: RunWorkers, customer: ScriptedServer) -> None:
    customer.answer_next(Response(body=b"\x00\xff" + b"x" * 5000))
    message = send()
    run_workers()
    attempt = message.postbacks.get().attempts.get()
    assert attempt.answer == "\ufffd\ufffd" + "x" * 2046
    assert attempt.duration_ms is not None


def test_postback_of_a_dead_worker_is_sent_again(
    send: Send, customer: ScriptedServer, records: SimpleNamespace
) -> None:
    message = send()
    now = datetime.now(UTC)
    Postback.objects.create(
        account=records.account, message=message, code="N101", fields={"code": "N101"}, due_at=now, created_at=now
    )
    assert len(outbox.claim(now, 10)) == 1
    notifier.run(lambda: later(seconds=20))
    assert customer.received == []
    notifier.run(lambda: later(seconds=31))
    assert received(customer) == ["N101"]


def test_account_without_a_url_gets_no_postbacks(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, customer: ScriptedServer
) -> None:
    records.account.postback_url = ""
    records.account.save()
    send()
    run_workers()
    assert not Postback.objects.exists()


def test_hanging_servers_leave_room_for_others(records: SimpleNamespace, customer: ScriptedServer) -> None:
    now = datetime.now(UTC)

    def create_due_postbacks(account: Account, count: int) -> None:
        for _ in range(count):
            Postback.objects.create(account=account, code="N101", fields={"code": "N101"}, due_at=now, created_at=now)

    loop = notifier.send_loop(limits=replace(notifier.LIMITS, in_flight=64))
    with serving(Response()) as hanging, loop.in_flight:
        hanging.answering.clear()
        for number in range(8):
            create_due_postbacks(Account.objects.create(name=f"Hanging {number}", postback_url=hanging.url), 20)
        for _ in range(5):
            loop.claim()
        create_due_postbacks(records.account, 1)
        loop.claim()
        loop.settle(wait=10)
    assert records.account.postbacks.get().status == Postback.Status.DELIVERED


def test_account_with_a_hanging_server_is_limited(records: SimpleNamespace) -> None:
    other = Account.objects.create(name="Other", postback_url="http://127.0.0.1:9/")
    now = datetime.now(UTC)
    for account, count in ((records.account, 50), (other, 3)):
        for _ in range(count):
            Postback.objects.create(account=account, code="N101", fields={"code": "N101"}, due_at=now, created_at=now)
    first = outbox.claim(now, 8)
    assert sorted(p.postback.account.name for p in first) == ["Customer"] * 8 + ["Other"] * 3
    assert outbox.claim(now, 8, busy=[records.account.pk]) == []


def test_claim_is_limited_to_the_oldest_postbacks(records: SimpleNamespace) -> None:
    accounts = [Account.objects.create(name=name, postback_url="http://127.0.0.1:9/") for name in "ABC"]
    now = datetime.now(UTC)
    for age, account in enumerate(accounts):
        for _ in range(4):
            due = now - timedelta(seconds=age)
            Postback.objects.create(account=account, code="N101", fields={}, due_at=due, created_at=due)
    claimed = outbox.claim(now, 4, room=6)
    assert sorted(each.postback.account.name for each in claimed) == ["B"] * 2 + ["C"] * 4


def test_redirects_are_not_followed(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, customer: ScriptedServer
) -> None:
    with serving(Response()) as elsewhere:
        customer.answer_next(Response(status=307, headers=(("Location", elsewhere.url),)))
        send()
        run_workers()
        assert elsewhere.received == []
    assert len(customer.received) == 1
