"""Low-balance notices: when one is written, and how its e-mail is retried."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from billing import ledger, low_balance
from billing.available import available_amount
from billing.ledger import Charge
from billing.models import Account, LowBalanceNotice
from config.embedded.ports import free_port

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
UNIT = 1_000_000


@pytest.fixture
def account(db: None) -> Account:
    """An account with 10.00 USD and a threshold of 5.00."""
    account = Account.objects.create(name="Customer", low_balance_at=5 * UNIT, billing_email="bills@customer.example")
    ledger.top_up(account, 10 * UNIT, "invoice 1", NOW)
    return account


def change(account: Account, **values: Any) -> None:
    Account.objects.filter(pk=account.pk).update(**values)
    account.refresh_from_db()


def test_one_notice_is_written_below_the_threshold(account: Account) -> None:
    ledger.reserve(account, 1, 5 * UNIT, NOW)
    assert low_balance.write_notices(NOW) == 0
    ledger.reserve(account, 2, 1, NOW)
    assert [low_balance.write_notices(NOW) for _ in range(3)] == [1, 0, 0]
    notice = LowBalanceNotice.objects.get()
    assert (notice.available, notice.low_balance_at, notice.due_at) == (5 * UNIT - 1, 5 * UNIT, NOW)


def test_only_a_top_up_above_the_threshold_rearms(account: Account) -> None:
    ledger.reserve(account, 1, 6 * UNIT, NOW)
    assert low_balance.write_notices(NOW) == 1
    ledger.charge([Charge(account.pk, 1, 0, 6 * UNIT)], NOW)
    ledger.reserve(account, 2, 9 * UNIT, NOW)
    assert low_balance.write_notices(NOW) == 0
    ledger.top_up(account, UNIT, "not enough", NOW)
    assert low_balance.write_notices(NOW) == 0
    ledger.top_up(account, 3 * UNIT, "enough", NOW)
    assert low_balance.write_notices(NOW) == 0
    ledger.reserve(account, 3, 1, NOW)
    assert low_balance.write_notices(NOW) == 1


def test_credit_limit_counts_as_available(account: Account) -> None:
    change(account, credit_limit=UNIT)
    ledger.reserve(account, 1, 6 * UNIT, NOW)
    assert (available_amount(account, NOW), low_balance.write_notices(NOW)) == (5 * UNIT, 0)


def test_changed_threshold_rearms(account: Account) -> None:
    ledger.reserve(account, 1, 6 * UNIT, NOW)
    assert low_balance.write_notices(NOW) == 1
    change(account, low_balance_at=2 * UNIT)
    low_balance.rearm(account, NOW)
    assert low_balance.write_notices(NOW) == 0
    ledger.reserve(account, 2, 3 * UNIT, NOW)
    assert low_balance.write_notices(NOW) == 1


def test_postpaid_account_gets_one_notice_a_month(account: Account) -> None:
    change(account, billing="postpaid", spend_limit=8 * UNIT)
    ledger.reserve(account, 1, 4 * UNIT, NOW)
    ledger.charge([Charge(account.pk, 1, 4 * UNIT, 4 * UNIT)], NOW)
    assert (low_balance.write_notices(NOW), low_balance.write_notices(NOW)) == (1, 0)
    assert (available_amount(account, DECEMBER), low_balance.write_notices(DECEMBER)) == (8 * UNIT, 0)
    ledger.reserve(account, 2, 4 * UNIT, DECEMBER)
    assert (low_balance.write_notices(DECEMBER), low_balance.write_notices(DECEMBER)) == (1, 0)


@pytest.mark.parametrize("values", [{"low_balance_at": None}, {"billing": "postpaid", "spend_limit": None}])
def test_account_without_threshold_or_limit_gets_no_notice(account: Account, values: dict[str, Any]) -> None:
    change(account, **values)
    ledger.reserve(account, 1, 10 * UNIT, NOW)
    assert low_balance.write_notices(NOW) == 0


def test_notice_is_mailed_once(account: Account, mailoutbox: list[Any]) -> None:
    ledger.reserve(account, 1, 7 * UNIT, NOW)
    low_balance.write_notices(NOW)
    low_balance.send_notices(NOW)
    low_balance.send_notices(NOW + timedelta(days=1))
    (mail,) = mailoutbox
    assert (mail.to, mail.subject) == (["bills@customer.example"], "Low balance: Customer")
    assert mail.body == (
        "The account Customer has 3.00 USD available, less than its low-balance threshold of 5.00 USD.\n\n"
        "Messages that it cannot pay for are refused (E713). Top up the account to avoid this.\n"
    )
    notice = LowBalanceNotice.objects.get()
    assert (notice.sent_at, notice.due_at, notice.tries) == (NOW, None, 1)


def test_notice_without_an_address_is_not_mailed(account: Account, mailoutbox: list[Any]) -> None:
    change(account, billing_email="")
    ledger.reserve(account, 1, 7 * UNIT, NOW)
    low_balance.write_notices(NOW)
    low_balance.send_notices(NOW + timedelta(days=1))
    assert mailoutbox == []
    assert LowBalanceNotice.objects.get().due_at is None


def test_unreachable_mail_server_is_retried_then_given_up(
    account: Account, settings: Settings, mailoutbox: list[Any]
) -> None:
    ledger.reserve(account, 1, 7 * UNIT, NOW)
    low_balance.write_notices(NOW)
    backend, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    now = NOW
    for step in low_balance.RETRY_SCHEDULE:
        low_balance.send_notices(now)
        notice = LowBalanceNotice.objects.get()
        assert (notice.due_at, notice.sent_at) == (now + step, None)
        assert notice.problem.startswith("ConnectionRefusedError")
        now += step
    low_balance.send_notices(now)
    assert LowBalanceNotice.objects.get().due_at is None
    settings.EMAIL_BACKEND = backend
    low_balance.send_notices(now + timedelta(days=9))
    assert mailoutbox == []


def test_notice_is_sent_after_the_lease_of_a_dead_worker(account: Account, mailoutbox: list[Any]) -> None:
    ledger.reserve(account, 1, 7 * UNIT, NOW)
    low_balance.write_notices(NOW)
    LowBalanceNotice.objects.update(due_at=NOW + low_balance.LEASE, tries=1)
    low_balance.send_notices(NOW)
    assert mailoutbox == []
    low_balance.send_notices(NOW + low_balance.LEASE)
    assert len(mailoutbox) == 1
