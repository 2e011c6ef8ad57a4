"""Low-balance postbacks (N713)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from billing import ledger
from billing.models import Account, Price
from mms.models import Message, Postback
from mms.tasks import notify_low_balances
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers

Send = Callable[..., Message]


@pytest.fixture
def nearly_spent(records: SimpleNamespace) -> Account:
    """Return an account with a balance of 2.00 and a threshold of 1.00, where a message costs 1.50."""
    Price.objects.create(message_class="mms", amount=1_500_000)
    Account.objects.update(low_balance_at=1_000_000, low_balance_postback=True)
    records.account.refresh_from_db()
    ledger.top_up(records.account, 2_000_000, "", datetime.now(UTC))
    return Account.objects.get()


def low_balance_postbacks(customer: ScriptedServer) -> list[str]:
    return [sent.body.decode() for sent in customer.received if b"N713" in sent.body]


def test_low_balance_postback_is_sent_once(
    nearly_spent: Account, send: Send, run_workers: RunWorkers, customer: ScriptedServer
) -> None:
    notify_low_balances.run()
    send()
    notify_low_balances.run()
    notify_low_balances.run()
    run_workers()
    notice = nearly_spent.low_balance_notices.get()
    sentence = "has 0.50 USD available, less than its low-balance threshold of 1.00 USD."
    (body,) = low_balance_postbacks(customer)
    assert body == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<postback><origin>MMS_MT</origin><code>N713</code>"
        f"<timestamp>{notice.created_at.isoformat(timespec='seconds')}</timestamp>"
        f"<status-details>The account {nearly_spent.name} {sentence}</status-details></postback>"
    )
    assert Message.objects.get().status != "failed"


@pytest.mark.parametrize("setting", [{"low_balance_postback": False}, {"postback_url": ""}])
def test_no_low_balance_postback_if_disabled_or_without_url(
    nearly_spent: Account, send: Send, setting: dict[str, object]
) -> None:
    Account.objects.update(**setting)
    send()
    notify_low_balances.run()
    assert nearly_spent.low_balance_notices.count() == 1
    assert not Postback.objects.filter(code="N713").exists()


def test_low_balance_postback_is_retried(
    nearly_spent: Account, send: Send, run_workers: RunWorkers, customer: ScriptedServer
) -> None:
    send()
    notify_low_balances.run()
    Account.objects.update(postback_url=nearly_spent.postback_url.replace("127.0.0.1", "127.0.0.2"))
    run_workers()
    Account.objects.update(postback_url=nearly_spent.postback_url)
    run_workers(datetime.now(UTC) + timedelta(minutes=5.1))
    assert len(low_balance_postbacks(customer)) == 1
    assert Postback.objects.get(code="N713").status == "taken"
