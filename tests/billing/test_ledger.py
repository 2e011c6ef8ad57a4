"""The ledger: no overdraft, no double booking, and balances equal to the sum of the entries."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from billing import ledger
from billing.ledger import Charge, InsufficientFunds
from billing.models import Account, Balance, LedgerEntry

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
UNIT = 1_000_000


@pytest.fixture
def account(db: None) -> Account:
    account = Account.objects.create(name="Customer")
    ledger.top_up(account, 10 * UNIT, "invoice 1", NOW)
    return account


def amounts(account: Account) -> tuple[int, int]:
    balance = Balance.objects.get(account=account)
    return balance.balance, balance.reserved


def kinds() -> list[str]:
    return list(LedgerEntry.objects.values_list("kind", flat=True))


def test_charge_releases_the_rest_of_the_reservation(account: Account) -> None:
    ledger.reserve(account, 1, 3 * UNIT, NOW)
    assert amounts(account) == (10 * UNIT, 3 * UNIT)
    ledger.charge([Charge(account.pk, 1, 2 * UNIT, 3 * UNIT)], NOW)
    assert amounts(account) == (8 * UNIT, 0)
    assert kinds() == ["top-up", "reserve", "settle", "release"]
    assert ledger.reconcile() == []


def test_reserved_amount_is_not_available(account: Account) -> None:
    ledger.reserve(account, 1, 7 * UNIT, NOW)
    with pytest.raises(InsufficientFunds, match="top up"):
        ledger.reserve(account, 2, 4 * UNIT, NOW)
    assert amounts(account) == (10 * UNIT, 7 * UNIT)
    assert kinds() == ["top-up", "reserve"]


def test_credit_limit_allows_a_negative_prepaid_balance(account: Account) -> None:
    account.credit_limit = 5 * UNIT
    account.save()
    ledger.reserve(account, 1, 15 * UNIT, NOW)
    with pytest.raises(InsufficientFunds):
        ledger.reserve(account, 2, 1, NOW)


@pytest.mark.parametrize(("limit", "accepted"), [(None, 3), (7 * UNIT, 2), (0, 0)])
def test_postpaid_account_spends_up_to_its_limit(account: Account, limit: int | None, accepted: int) -> None:
    account.billing, account.spend_limit = "postpaid", limit
    account.save()
    done = 0
    for message in range(3):
        try:
            ledger.reserve(account, message, 3 * UNIT, NOW)
        except InsufficientFunds:
            continue
        ledger.charge([Charge(account.pk, message, 3 * UNIT, 3 * UNIT)], NOW)
        done += 1
    assert done == accepted


def test_late_booking_leaves_the_next_months_spending(account: Account) -> None:
    account.billing, account.spend_limit = "postpaid", 3 * UNIT
    account.save()
    december = datetime(2026, 12, 1, tzinfo=UTC)
    ledger.reserve(account, 1, 1 * UNIT, NOW)
    ledger.reserve(account, 2, 2 * UNIT, december)
    ledger.charge([Charge(account.pk, 2, 2 * UNIT, 2 * UNIT)], december)
    ledger.charge([Charge(account.pk, 1, 1 * UNIT, 1 * UNIT)], NOW)
    for moment in (december, NOW):
        with pytest.raises(InsufficientFunds, match="this month"):
            ledger.reserve(account, 3, 2 * UNIT, moment)


def test_new_month_starts_with_the_full_spend_limit(account: Account) -> None:
    account.billing, account.spend_limit = "postpaid", 3 * UNIT
    account.save()
    ledger.reserve(account, 1, 3 * UNIT, NOW)
    ledger.charge([Charge(account.pk, 1, 3 * UNIT, 3 * UNIT)], NOW)
    with pytest.raises(InsufficientFunds, match="this month"):
        ledger.reserve(account, 2, 1, NOW)
    ledger.reserve(account, 2, 3 * UNIT, datetime(2026, 12, 1, tzinfo=UTC))


def test_refund_is_available_again_in_the_same_month(account: Account) -> None:
    account.billing, account.spend_limit = "postpaid", 3 * UNIT
    account.save()
    ledger.reserve(account, 1, 3 * UNIT, NOW)
    ledger.charge([Charge(account.pk, 1, 2 * UNIT, 3 * UNIT)], NOW)
    ledger.refund([Charge(account.pk, 1, 2 * UNIT, 3 * UNIT)], NOW)
    ledger.reserve(account, 2, 3 * UNIT, NOW)
    assert amounts(account) == (10 * UNIT, 3 * UNIT)


def test_repeated_step_books_nothing(account: Account) -> None:
    ledger.reserve(account, 1, 3 * UNIT, NOW)
    for _ in range(3):
        ledger.charge([Charge(account.pk, 1, 2 * UNIT, 3 * UNIT)], NOW)
        ledger.refund([Charge(account.pk, 1, 2 * UNIT, 3 * UNIT)], NOW)
    assert amounts(account) == (10 * UNIT, 0)
    assert kinds() == ["top-up", "reserve", "settle", "release", "refund"]
    assert ledger.reconcile() == []


def test_message_cannot_be_reserved_twice(account: Account) -> None:
    ledger.reserve(account, 1, UNIT, NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        ledger.reserve(account, 1, UNIT, NOW)
    assert ledger.reconcile() == []


def test_amount_of_zero_is_not_booked(account: Account) -> None:
    ledger.reserve(account, 1, 0, NOW)
    ledger.charge([Charge(account.pk, 1, 0, 0)], NOW)
    assert kinds() == ["top-up"]


def test_charges_of_several_accounts_are_booked_in_one_call(account: Account) -> None:
    other = Account.objects.create(name="Other")
    ledger.top_up(other, UNIT, "", NOW)
    for message in range(4):
        ledger.reserve((account, other)[message % 2], message, 100, NOW)
    ledger.charge([Charge((account, other)[m % 2].pk, m, 100 * (m < 2), 100) for m in range(4)], NOW)
    assert (amounts(account), amounts(other)) == ((10 * UNIT - 100, 0), (UNIT - 100, 0))
    assert ledger.reconcile() == []


def test_reconciliation_finds_a_wrong_balance(account: Account) -> None:
    Balance.objects.update(balance=1)
    assert ledger.reconcile() == [ledger.Difference(account.pk, stored=(1, 0), computed=(10 * UNIT, 0))]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_concurrent_reservations_do_not_overdraw() -> None:
    account = Account.objects.create(name="Customer")
    ledger.top_up(account, 50 * UNIT, "", NOW)

    def accepted(message: int) -> bool:
        try:
            with transaction.atomic():
                ledger.reserve(account, message, UNIT, NOW)
        except InsufficientFunds:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(accepted, range(200)))
    assert outcomes.count(True) == 50
    assert amounts(account) == (50 * UNIT, 50 * UNIT)
    assert ledger.reconcile() == []


def test_books_command_prints_differences(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("books")
    assert capsys.readouterr().out == "ledger entries: 1; all balances match\n"
    Balance.objects.update(balance=1)
    with pytest.raises(CommandError, match="accounts whose balance differs from the ledger: 1"):
        call_command("books")
    assert capsys.readouterr().out == (
        "Customer: the stored balance is 0.000001 USD, 0.00 USD of it reserved; "
        "the ledger adds up to 10.00 USD, 0.00 USD of it reserved\n"
    )
