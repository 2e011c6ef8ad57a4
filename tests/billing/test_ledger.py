"""The ledger: nothing is overdrawn, nothing booked twice, and the balances are what the lines add up to."""

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


def test_a_message_is_reserved_settled_and_the_rest_released(account: Account) -> None:
    ledger.reserve(account, 1, 3 * UNIT, NOW)
    assert amounts(account) == (10 * UNIT, 3 * UNIT)
    ledger.charge([Charge(account.pk, 1, 2 * UNIT, 3 * UNIT)], NOW)
    assert amounts(account) == (8 * UNIT, 0)
    assert kinds() == ["top-up", "reserve", "settle", "release"]
    assert ledger.reconcile() == []


def test_what_is_reserved_cannot_be_reserved_again(account: Account) -> None:
    ledger.reserve(account, 1, 7 * UNIT, NOW)
    with pytest.raises(InsufficientFunds, match="top up"):
        ledger.reserve(account, 2, 4 * UNIT, NOW)
    assert amounts(account) == (10 * UNIT, 7 * UNIT)
    assert kinds() == ["top-up", "reserve"]


def test_a_credit_limit_lets_a_prepaid_balance_go_below_zero(account: Account) -> None:
    account.credit_limit = 5 * UNIT
    account.save()
    ledger.reserve(account, 1, 15 * UNIT, NOW)
    with pytest.raises(InsufficientFunds):
        ledger.reserve(account, 2, 1, NOW)


@pytest.mark.parametrize(("limit", "accepted"), [(None, 3), (7 * UNIT, 2), (0, 0)])
def test_a_postpaid_account_spends_up_to_its_limit_of_the_month(
    account: Account, limit: int | None, accepted: int
) -> None:
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


def test_a_booking_that_comes_after_the_month_s_end_leaves_what_the_next_month_has_spent(account: Account) -> None:
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


def test_a_new_month_begins_with_the_whole_limit(account: Account) -> None:
    account.billing, account.spend_limit = "postpaid", 3 * UNIT
    account.save()
    ledger.reserve(account, 1, 3 * UNIT, NOW)
    ledger.charge([Charge(account.pk, 1, 3 * UNIT, 3 * UNIT)], NOW)
    with pytest.raises(InsufficientFunds, match="this month"):
        ledger.reserve(account, 2, 1, NOW)
    ledger.reserve(account, 2, 3 * UNIT, datetime(2026, 12, 1, tzinfo=UTC))


def test_what_is_given_back_can_be_spent_again_in_the_month(account: Account) -> None:
    account.billing, account.spend_limit = "postpaid", 3 * UNIT
    account.save()
    ledger.reserve(account, 1, 3 * UNIT, NOW)
    ledger.charge([Charge(account.pk, 1, 2 * UNIT, 3 * UNIT)], NOW)
    ledger.refund([Charge(account.pk, 1, 2 * UNIT, 3 * UNIT)], NOW)
    ledger.reserve(account, 2, 3 * UNIT, NOW)
    assert amounts(account) == (10 * UNIT, 3 * UNIT)


def test_a_step_that_is_repeated_books_nothing(account: Account) -> None:
    ledger.reserve(account, 1, 3 * UNIT, NOW)
    for _ in range(3):
        ledger.charge([Charge(account.pk, 1, 2 * UNIT, 3 * UNIT)], NOW)
        ledger.refund([Charge(account.pk, 1, 2 * UNIT, 3 * UNIT)], NOW)
    assert amounts(account) == (10 * UNIT, 0)
    assert kinds() == ["top-up", "reserve", "settle", "release", "refund"]
    assert ledger.reconcile() == []


def test_a_message_cannot_be_reserved_twice(account: Account) -> None:
    ledger.reserve(account, 1, UNIT, NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        ledger.reserve(account, 1, UNIT, NOW)
    assert ledger.reconcile() == []


def test_what_costs_nothing_is_not_booked(account: Account) -> None:
    ledger.reserve(account, 1, 0, NOW)
    ledger.charge([Charge(account.pk, 1, 0, 0)], NOW)
    assert kinds() == ["top-up"]


def test_many_messages_of_many_accounts_are_booked_together(account: Account) -> None:
    other = Account.objects.create(name="Other")
    ledger.top_up(other, UNIT, "", NOW)
    for message in range(4):
        ledger.reserve((account, other)[message % 2], message, 100, NOW)
    ledger.charge([Charge((account, other)[m % 2].pk, m, 100 * (m < 2), 100) for m in range(4)], NOW)
    assert (amounts(account), amounts(other)) == ((10 * UNIT - 100, 0), (UNIT - 100, 0))
    assert ledger.reconcile() == []


def test_the_proof_finds_a_balance_that_is_not_its_ledger(account: Account) -> None:
    Balance.objects.update(balance=1)
    assert ledger.reconcile() == [ledger.Difference(account.pk, stored=(1, 0), computed=(10 * UNIT, 0))]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_32_connections_with_funds_for_exactly_n_messages_accept_exactly_n() -> None:
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


def test_the_command_proves_the_books(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("books")
    assert capsys.readouterr().out == "ledger entries: 1; all balances match\n"
    Balance.objects.update(balance=1)
    with pytest.raises(CommandError, match="accounts whose balance differs from the ledger: 1"):
        call_command("books")
    assert capsys.readouterr().out == (
        "Customer: the stored balance is 0.000001 USD, 0.00 USD of it reserved; "
        "the ledger adds up to 10.00 USD, 0.00 USD of it reserved\n"
    )
