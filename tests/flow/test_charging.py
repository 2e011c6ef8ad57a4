"""What a message costs its account, step by step."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from billing import ledger
from billing.models import Balance, LedgerEntry, Price
from mms.messages import transitions
from mms.models import Message
from tests.scripted import Scripted
from tests.wire import IPHONE, Drive, submit_rsp

Send = Callable[..., Message]
Reported = Callable[..., int]

DDM = "<ddm-message-text>What is your telephone?</ddm-message-text>"


@pytest.fixture
def priced(world: SimpleNamespace) -> SimpleNamespace:
    """An MMS costs 50, a DDM 10, and the account has 1,000."""
    Price.objects.create(message_class="mms", amount=50)
    Price.objects.create(message_class="ddm", amount=10)
    ledger.top_up(world.account, 1000, "", datetime.now(UTC))
    return world


def money() -> tuple[int, int]:
    balance = Balance.objects.get()
    assert ledger.reconcile() == []
    return balance.balance, balance.reserved


def lines(message: Message) -> dict[str, tuple[int, int]]:
    rows = LedgerEntry.objects.filter(message=message.pk)
    return {row.kind: (row.balance_change, row.reserved_change) for row in rows}


def test_the_dearest_way_is_reserved_and_what_was_submitted_is_settled(
    priced: SimpleNamespace, send: Send, drive: Drive
) -> None:
    message = send()
    assert money() == (1000, 50)
    drive()
    assert money() == (950, 0)
    assert lines(message) == {"reserve": (0, 50), "settle": (-50, -50)}


def test_a_ddm_is_paid_for_by_the_first_that_waits_for_it(
    priced: SimpleNamespace, send: Send, drive: Drive, reported: Reported
) -> None:
    first, second = send(DDM), send(DDM)
    assert money() == (1000, 120)
    drive()
    reported("M1", "Retrieved", IPHONE)
    drive()
    assert money() == (1000 - 60 - 50, 0)
    assert lines(first) == {"reserve": (0, 60), "settle": (-60, -60)}
    assert lines(second) == {"reserve": (0, 60), "settle": (-50, -50), "release": (0, -10)}


def test_a_ddm_that_was_not_needed_or_refused_costs_nothing(
    priced: SimpleNamespace, send: Send, drive: Drive, mmsc: Scripted
) -> None:
    mmsc.first(submit_rsp(code=2001))
    send(DDM)
    drive()
    assert money() == (950, 0)


def test_what_failed_before_it_was_submitted_costs_only_the_ddm_that_was_sent(
    priced: SimpleNamespace, send: Send, drive: Drive, reported: Reported, mmsc: Scripted
) -> None:
    send(DDM)
    drive()
    mmsc.first(submit_rsp(code=2001))
    reported("M1", "Retrieved", IPHONE)
    drive()
    assert money() == (990, 0)


@pytest.mark.parametrize(("refund", "left"), [(False, 950), (True, 1000)])
@pytest.mark.parametrize("status", ["Expired", "Rejected", "Unrecognised"])
def test_what_was_not_delivered_is_given_back_by_the_accounts_policy(
    priced: SimpleNamespace, send: Send, drive: Drive, reported: Reported, status: str, left: int, *, refund: bool
) -> None:
    priced.account.refund_undelivered = refund
    priced.account.save()
    send()
    drive()
    for _ in range(2):
        reported("M1", status)
    assert money() == (left, 0)


def test_what_expired_without_a_report_is_given_back_too(priced: SimpleNamespace, send: Send, drive: Drive) -> None:
    priced.account.refund_undelivered = True
    priced.account.save()
    send(DDM)
    drive()
    drive(datetime.now(UTC) + timedelta(minutes=6))
    assert money() == (1000 - 60, 0)
    drive(datetime.now(UTC) + timedelta(days=3, minutes=6))
    assert money() == (1000 - 10, 0)


def test_in_doubt_stays_reserved_and_is_settled_by_its_report(
    priced: SimpleNamespace, send: Send, drive: Drive, reported: Reported, mmsc: Scripted
) -> None:
    mmsc.first("reset")
    send()
    drive()
    assert money() == (1000, 50)
    reported("never-told", "Retrieved")
    drive(datetime.now(UTC) + timedelta(seconds=2))
    assert money() == (950, 0)


@pytest.mark.parametrize(("sent", "left"), [(True, (950, 0)), (False, (1000, 50))])
def test_in_doubt_is_settled_by_an_operator_who_knows_that_it_was_sent(
    priced: SimpleNamespace, send: Send, drive: Drive, mmsc: Scripted, left: tuple[int, int], *, sent: bool
) -> None:
    mmsc.first("reset")
    message = send()
    drive()
    assert transitions.resolve_in_doubt(message, sent, "olga", datetime.now(UTC))
    assert money() == left


def test_in_doubt_to_the_end_is_not_charged(priced: SimpleNamespace, send: Send, drive: Drive, mmsc: Scripted) -> None:
    mmsc.first("reset")
    send()
    drive()
    drive(datetime.now(UTC) + timedelta(days=3, minutes=1))
    assert money() == (1000, 0)


def test_no_funds_no_message(priced: SimpleNamespace, post: Callable[[str], bytes]) -> None:
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
    assert money() == (40, 0)
