"""A number that is blocked after the accept is not sent to any more."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from billing import ledger
from billing.models import Account, Balance, BlockedNumber, LedgerEntry, Price
from mms.messages import claiming
from mms.models import Discovery, Message
from tests.scripted import ScriptedServer
from tests.wire import IPHONE, RunWorkers, event_kinds, postback_codes, submit_rsp

Send = Callable[..., Message]
SendReport = Callable[..., int]

DDM = "<ddm-message-text>What is your telephone?</ddm-message-text>"
REASON = "the recipient was put on a block list before it could be sent"


@pytest.fixture
def priced(records: SimpleNamespace) -> SimpleNamespace:
    Price.objects.create(message_class="mms", amount=50)
    Price.objects.create(message_class="ddm", amount=10)
    ledger.top_up(records.account, 1000, "", datetime.now(UTC))
    return records


def check_refused(message: Message, balance: int) -> None:
    message.refresh_from_db()
    assert (message.status, message.events.get(kind="failed").text) == ("failed", REASON)
    postback = message.postbacks.get(code="E101")
    assert (postback.fields["status"], postback.fields["status-details"]) == ("Message Failed", REASON)
    found = Balance.objects.get()
    assert (found.balance, found.reserved, ledger.reconcile()) == (balance, 0, [])


@pytest.mark.parametrize("by_platform", [True, False])
def test_message_to_a_blocked_number_fails_unsent(
    priced: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, *, by_platform: bool
) -> None:
    blocked, free = send(), send(to="14044790001")
    BlockedNumber.objects.create(account=None if by_platform else priced.account, number=blocked.number)
    run_workers()
    check_refused(blocked, balance=950)
    assert (event_kinds(blocked), postback_codes(free)) == (["accepted", "failed"], ["N101"])
    assert len(mmsc.received) == 1
    assert set(LedgerEntry.objects.filter(message=blocked.pk).values_list("kind", flat=True)) == {"reserve", "release"}


def test_block_list_of_another_account_does_not_count(
    priced: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    message = send()
    BlockedNumber.objects.create(account=Account.objects.create(name="Other"), number=message.number)
    run_workers()
    assert postback_codes(message) == ["N101"]


def test_number_blocked_between_two_tries_is_not_tried_again(
    priced: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next(submit_rsp(code=4006))
    message = send()
    run_workers()
    BlockedNumber.objects.create(account=priced.account, number=message.number)
    run_workers(datetime.now(UTC) + timedelta(minutes=1))
    check_refused(message, balance=1000)
    assert len(mmsc.received) == 1


def test_number_blocked_during_its_discovery_pays_only_the_ddm(
    priced: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    message = send(DDM)
    run_workers()
    BlockedNumber.objects.create(account=priced.account, number=message.number)
    send_report("M1", "Retrieved", IPHONE)
    run_workers()
    check_refused(message, balance=990)
    assert (postback_codes(message), len(mmsc.received)) == (["N501", "N502", "E101"], 1)


def test_ddm_of_a_blocked_account_is_handed_over(
    priced: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    """The second message, of another account, has joined the discovery that the first one opened."""
    first, second = send(DDM), send("<ddm-message-text>Which telephone is it?</ddm-message-text>")
    other = Account.objects.create(name="Other", postback_url=priced.account.postback_url)
    ledger.top_up(other, 1000, "", datetime.now(UTC))
    Balance.objects.filter(account=other).update(reserved=60)
    Message.objects.filter(pk=second.pk).update(account=other, sender="28445")
    claiming.claim_messages(datetime.now(UTC), 10)
    BlockedNumber.objects.create(account=priced.account, number=first.number)
    run_workers()
    [ddm] = mmsc.received
    assert b"Which telephone is it?" in ddm.body
    assert b"28445" in ddm.body
    assert (Discovery.objects.get().status, Discovery.objects.get().account) == ("submitted", other)
    assert list(Message.objects.order_by("pk").values_list("status", "pays_ddm")) == [
        ("discovering", False), ("discovering", True),
    ]  # fmt: skip
    run_workers(datetime.now(UTC) + timedelta(minutes=6))
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("failed", "submitted")
    assert {b.account_id: (b.balance, b.reserved) for b in Balance.objects.all()} == {
        priced.account.pk: (1000, 60), other.pk: (940, 0),
    }  # fmt: skip


def test_ddm_to_a_blocked_number_is_not_sent(
    priced: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    message = send(DDM)
    claiming.claim_messages(datetime.now(UTC), 10)  # opens the discovery
    BlockedNumber.objects.create(account=priced.account, number=message.number)
    run_workers()  # the discovery fails, and its message is due
    run_workers()
    check_refused(message, balance=1000)
    assert (Discovery.objects.get().status, mmsc.received) == ("failed", [])
    assert postback_codes(message) == ["E501", "E101"]
