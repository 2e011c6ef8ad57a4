"""The message that opened a discovery pays for its DDM, or another one of its account, or nobody."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from billing import ledger
from billing.models import Account, Price
from mms.messages import attempts, claiming, discovery, transitions
from mms.messages.attempts import CompletedSubmit
from mms.models import Discovery, Message
from mms.protocol.submit import Outcome, SubmitResult
from tests.wire import RunWorkers, postback_codes

Send = Callable[..., Message]

DDM = "<ddm-message-text>What is your telephone?</ddm-message-text>"
SHORT = DDM + "<ddm-message-timeout>1</ddm-message-timeout>"
LONG = DDM + "<ddm-message-timeout>60</ddm-message-timeout>"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def other(records: SimpleNamespace) -> Account:
    """Set the prices, give both accounts 1,000, and return the second one."""
    Price.objects.create(message_class="mms", amount=50)
    Price.objects.create(message_class="ddm", amount=10)
    other = Account.objects.create(name="Other", postback_url=records.account.postback_url)
    for account in (records.account, other):
        ledger.top_up(account, 1000, "", now())
    return other


@pytest.fixture
def send_as(send: Send) -> Callable[[Account, str], Message]:
    """Return a function that sends a message, and makes it the account's before it is claimed."""

    def send_as(account: Account, ddm: str) -> Message:
        message = send(ddm)
        if message.account_id != account.pk:
            ledger.charge([ledger.Charge(message.account_id, message.pk, 0, message.reserved)], now())
            Message.objects.filter(pk=message.pk).update(account=account)
        return message

    return send_as


def submit_ddm(at: datetime) -> None:
    """Submit the DDM, which the MMSC accepts only at that time."""
    [ddm], _ = claiming.claim_discoveries(now(), 10)
    [(_, attempt)] = attempts.start([(ddm, 1000)], now())
    result = SubmitResult(Outcome.SUBMITTED, 1000, "", "D")
    transitions.record_ddm_results([CompletedSubmit(ddm, attempt, result)], at)


def payers() -> list[int]:
    return list(Message.objects.filter(pays_ddm=True).values_list("pk", flat=True))


def test_opener_pays_even_if_an_older_message_joins(
    records: SimpleNamespace, other: Account, send_as: Callable[[Account, str], Message]
) -> None:
    older, opener = send_as(other, LONG), send_as(records.account, LONG)
    Message.objects.filter(pk=older.pk).update(due_at=now() + timedelta(seconds=30))
    claiming.claim_messages(now(), 10)
    claiming.claim_messages(now() + timedelta(seconds=31), 10)
    assert Discovery.objects.get().message == opener.pk
    submit_ddm(now())
    assert payers() == [opener.pk]
    assert [message.postbacks.get().fields.get("status-details") for message in (opener, older)] == [
        None,
        "shares the DDM of an earlier message",
    ]


def test_opener_that_stopped_waiting_pays_and_nobody_else(
    records: SimpleNamespace, other: Account, send_as: Callable[[Account, str], Message]
) -> None:
    opener, joined = send_as(records.account, SHORT), send_as(other, LONG)
    claiming.claim_messages(now(), 10)
    later = now() + timedelta(minutes=2)
    opener.refresh_from_db()
    discovery.end_wait([opener], later)
    submit_ddm(later)
    assert payers() == [opener.pk]
    assert (postback_codes(opener), postback_codes(joined)) == (["E501"], ["N501"])


def test_ddm_of_a_charged_opener_costs_no_other_account(
    records: SimpleNamespace, other: Account, send_as: Callable[[Account, str], Message], run_workers: RunWorkers
) -> None:
    opener, joined = send_as(records.account, SHORT), send_as(other, LONG)
    claiming.claim_messages(now(), 10)
    [ddm], _ = claiming.claim_discoveries(now(), 10)
    [(_, attempt)] = attempts.start([(ddm, 1000)], now())
    run_workers(now() + timedelta(minutes=1, seconds=30))  # sends the opener without its handset
    opener.refresh_from_db()
    assert opener.status == "submitted"
    result = SubmitResult(Outcome.SUBMITTED, 1000, "", "D")
    transitions.record_ddm_results([CompletedSubmit(ddm, attempt, result)], now())
    assert (payers(), postback_codes(joined)) == ([], ["N501"])
    assert ledger.reconcile() == []
