"""Charging: the ledger bookings of each step of a message."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from billing import ledger
from billing.models import Balance, LedgerEntry, Price
from mms.messages import transitions
from mms.models import Message
from tests.scripted import ScriptedServer
from tests.wire import IPHONE, RunWorkers, postback_codes, submit_rsp

Send = Callable[..., Message]
SendReport = Callable[..., int]

DDM = "<ddm-message-text>What is your telephone?</ddm-message-text>"


@pytest.fixture
def priced(records: SimpleNamespace) -> SimpleNamespace:
    """Set the price of an MMS to 50 and of a DDM to 10, and give the account 1,000."""
    Price.objects.create(message_class="mms", amount=50)
    Price.objects.create(message_class="ddm", amount=10)
    ledger.top_up(records.account, 1000, "", datetime.now(UTC))
    return records


def balance_and_reserved() -> tuple[int, int]:
    balance = Balance.objects.get()
    assert ledger.reconcile() == []
    return balance.balance, balance.reserved


def entries(message: Message) -> dict[str, tuple[int, int]]:
    rows = LedgerEntry.objects.filter(message=message.pk)
    return {row.kind: (row.balance_change, row.reserved_change) for row in rows}


def test_accept_reserves_and_submit_settles(priced: SimpleNamespace, send: Send, run_workers: RunWorkers) -> None:
    message = send()
    assert balance_and_reserved() == (1000, 50)
    run_workers()
    assert balance_and_reserved() == (950, 0)
    assert entries(message) == {"reserve": (0, 50), "settle": (-50, -50)}


def test_first_waiting_message_pays_for_the_ddm(
    priced: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport
) -> None:
    first, second = send(DDM), send(DDM)
    assert balance_and_reserved() == (1000, 120)
    run_workers()
    send_report("M1", "Retrieved", IPHONE)
    run_workers()
    assert balance_and_reserved() == (1000 - 60 - 50, 0)
    assert entries(first) == {"reserve": (0, 60), "settle": (-60, -60)}
    assert entries(second) == {"reserve": (0, 60), "settle": (-50, -50), "release": (0, -10)}


def test_refused_ddm_costs_nothing(
    priced: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next(submit_rsp(code=2001))
    send(DDM)
    run_workers()
    assert balance_and_reserved() == (950, 0)


def test_unsubmitted_message_costs_only_its_sent_ddm(
    priced: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    send(DDM)
    run_workers()
    mmsc.answer_next(submit_rsp(code=2001))
    send_report("M1", "Retrieved", IPHONE)
    run_workers()
    assert balance_and_reserved() == (990, 0)


@pytest.mark.parametrize(("refund", "left"), [(False, 950), (True, 1000)])
@pytest.mark.parametrize("status", ["Expired", "Rejected", "Unrecognised"])
def test_undelivered_message_is_refunded_by_policy(
    priced: SimpleNamespace,
    send: Send,
    run_workers: RunWorkers,
    send_report: SendReport,
    status: str,
    left: int,
    *,
    refund: bool,
) -> None:
    priced.account.refund_undelivered = refund
    priced.account.save()
    send()
    run_workers()
    for _ in range(2):
        send_report("M1", status)
    assert balance_and_reserved() == (left, 0)


def test_message_expired_without_a_report_is_refunded(
    priced: SimpleNamespace, send: Send, run_workers: RunWorkers
) -> None:
    priced.account.refund_undelivered = True
    priced.account.save()
    send(DDM)
    run_workers()
    run_workers(datetime.now(UTC) + timedelta(minutes=6))
    assert balance_and_reserved() == (1000 - 60, 0)
    run_workers(datetime.now(UTC) + timedelta(days=3, minutes=11))
    assert balance_and_reserved() == (1000 - 10, 0)


def test_report_within_the_grace_keeps_the_charge(
    priced: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport
) -> None:
    type(priced.account).objects.update(refund_undelivered=True)
    message = send()
    run_workers()
    run_workers(message.expires_at + timedelta(seconds=30))
    assert send_report("M1", "Retrieved") == 200
    run_workers(message.expires_at + timedelta(days=1))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("delivered", ["N101", "N102"])
    assert balance_and_reserved() == (950, 0)


def test_in_doubt_stays_reserved_until_its_report(
    priced: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next("reset")
    send()
    run_workers()
    assert balance_and_reserved() == (1000, 50)
    send_report("unknown-id", "Retrieved")
    run_workers(datetime.now(UTC) + timedelta(seconds=2))
    assert balance_and_reserved() == (950, 0)


@pytest.mark.parametrize(("sent", "left"), [(True, (950, 0)), (False, (1000, 50))])
def test_in_doubt_resolved_as_sent_is_settled(
    priced: SimpleNamespace,
    send: Send,
    run_workers: RunWorkers,
    mmsc: ScriptedServer,
    left: tuple[int, int],
    *,
    sent: bool,
) -> None:
    mmsc.answer_next("reset")
    message = send()
    run_workers()
    message.refresh_from_db()
    assert transitions.resolve_in_doubt([message], sent=sent, by="olga", now=datetime.now(UTC))
    assert balance_and_reserved() == left


def test_message_in_doubt_at_expiry_is_not_charged(
    priced: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next("reset")
    send()
    run_workers()
    run_workers(datetime.now(UTC) + timedelta(days=3, minutes=6))
    assert balance_and_reserved() == (1000, 0)


def test_insufficient_funds_refuse_the_message(priced: SimpleNamespace, post: Callable[[str], bytes]) -> None:
    ledger.adjust(priced.account, -960, "", datetime.now(UTC))
    answer = post(
        "<request><action>sendSavedMMS</action><api-key>qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlZ</api-key>"
        "<to>14044790000</to><from>28444</from><service-id>12345</service-id><mms-id>35674</mms-id></request>"
    )
    assert answer == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<response><status>Failure</status><error-code>E713</error-code>'
        b"<to>14044790000</to><error-info>The account's funds do not cover this message "
        b"(up to 0.00005 USD); top up the account and send it again</error-info></response>"
    )
    assert not Message.objects.exists()
    assert balance_and_reserved() == (40, 0)
