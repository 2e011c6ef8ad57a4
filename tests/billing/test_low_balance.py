"""Low-balance notices: one a fall, by e-mail, tried again where the mail server does not take it."""

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
    """10.00 USD, to be told below 5.00."""
    account = Account.objects.create(name="Customer", low_balance_at=5 * UNIT, billing_email="bills@customer.example")
    ledger.top_up(account, 10 * UNIT, "invoice 1", NOW)
    return account


def change(account: Account, **values: Any) -> None:
    Account.objects.filter(pk=account.pk).update(**values)
    account.refresh_from_db()


def test_one_notice_is_written_when_the_available_amount_falls_below_the_mark(account: Account) -> None:
    ledger.reserve(account, 1, 5 * UNIT, NOW)
    assert low_balance.write_notices(NOW) == 0
    ledger.reserve(account, 2, 1, NOW)
    assert [low_balance.write_notices(NOW) for _ in range(3)] == [1, 0, 0]
    notice = LowBalanceNotice.objects.get()
    assert (notice.available, notice.low_balance_at, notice.due_at) == (5 * UNIT - 1, 5 * UNIT, NOW)


def test_a_release_does_not_rearm_and_a_top_up_above_the_mark_does(account: Account) -> None:
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


def test_a_credit_limit_counts_as_available(account: Account) -> None:
    change(account, credit_limit=UNIT)
    ledger.reserve(account, 1, 6 * UNIT, NOW)
    assert (available_amount(account, NOW), low_balance.write_notices(NOW)) == (5 * UNIT, 0)


def test_a_changed_mark_lets_the_next_fall_be_noticed(account: Account) -> None:
    ledger.reserve(account, 1, 6 * UNIT, NOW)
    assert low_balance.write_notices(NOW) == 1
    change(account, low_balance_at=2 * UNIT)
    low_balance.rearm(account, NOW)
    assert low_balance.write_notices(NOW) == 0
    ledger.reserve(account, 2, 3 * UNIT, NOW)
    assert low_balance.write_notices(NOW) == 1


def test_a_postpaid_account_is_told_once_a_month(account: Account) -> None:
    change(account, billing="postpaid", spend_limit=8 * UNIT)
    ledger.reserve(account, 1, 4 * UNIT, NOW)
    ledger.charge([Charge(account.pk, 1, 4 * UNIT, 4 * UNIT)], NOW)
    assert (low_balance.write_notices(NOW), low_balance.write_notices(NOW)) == (1, 0)
    assert (available_amount(account, DECEMBER), low_balance.write_notices(DECEMBER)) == (8 * UNIT, 0)
    ledger.reserve(account, 2, 4 * UNIT, DECEMBER)
    assert (low_balance.write_notices(DECEMBER), low_balance.write_notices(DECEMBER)) == (1, 0)


@pytest.mark.parametrize("values", [{"low_balance_at": None}, {"billing": "postpaid", "spend_limit": None}])
def test_who_set_no_mark_or_has_no_limit_is_told_nothing(account: Account, values: dict[str, Any]) -> None:
    change(account, **values)
    ledger.reserve(account, 1, 10 * UNIT, NOW)
    assert low_balance.write_notices(NOW) == 0


def test_the_notice_goes_out_once_by_mail(account: Account, mailoutbox: list[Any]) -> None:
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


def test_without_an_address_the_notice_is_only_written(account: Account, mailoutbox: list[Any]) -> None:
    change(account, billing_email="")
    ledger.reserve(account, 1, 7 * UNIT, NOW)
    low_balance.write_notices(NOW)
    low_balance.send_notices(NOW + timedelta(days=1))
    assert mailoutbox == []
    assert LowBalanceNotice.objects.get().due_at is None


def test_a_mail_server_that_is_away_is_tried_again_and_then_given_up(
    account: Account, settings: Settings, mailoutbox: list[Any]
) -> None:
    ledger.reserve(account, 1, 7 * UNIT, NOW)
    low_balance.write_notices(NOW)
    at_hand, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "django.core.mail.backends.smtp.EmailBackend"
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
    settings.EMAIL_BACKEND = at_hand
    low_balance.send_notices(now + timedelta(days=9))
    assert mailoutbox == []


def test_a_notice_whose_worker_died_is_sent_when_its_lease_is_over(account: Account, mailoutbox: list[Any]) -> None:
    ledger.reserve(account, 1, 7 * UNIT, NOW)
    low_balance.write_notices(NOW)
    LowBalanceNotice.objects.update(due_at=NOW + low_balance.LEASE, tries=1)
    low_balance.send_notices(NOW)
    assert mailoutbox == []
    low_balance.send_notices(NOW + low_balance.LEASE)
    assert len(mailoutbox) == 1
