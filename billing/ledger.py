"""The ledger: reserve a message's highest price when it is accepted, charge it when a carrier accepts the message.

A booking inserts entries into the append-only ledger and updates the account's balance, in the transaction of the
step that causes it, which the caller has open. A message has at most one entry of each kind, so a repeated step books
nothing. Amounts are micro-units: 1,000,000 is 1.00.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from base import bulk, sql, time_limits
from billing import low_balance
from billing.amounts import format_amount
from billing.available import AVAILABLE, first_of_month
from billing.models import Account, Balance, LedgerEntry, Proof

Kind = LedgerEntry.Kind

# Every transaction locks balances in the order of accounts, so that two of them cannot deadlock.
LOCK_BALANCES = "SELECT FROM billing_balance WHERE account_id = ANY(%s) ORDER BY account_id FOR NO KEY UPDATE"

# Returns the accounts whose balances other transactions hold.
LOCK_FREE_BALANCES = """
WITH free AS (
    SELECT account_id FROM billing_balance WHERE account_id = ANY(%(accounts)s)
    ORDER BY account_id FOR NO KEY UPDATE SKIP LOCKED
)
SELECT account_id FROM billing_balance
WHERE account_id = ANY(%(accounts)s) AND account_id NOT IN (SELECT account_id FROM free)
"""

# One statement checks and reserves, so that concurrent calls cannot overdraw: the later one sees the earlier amount.
RESERVE = f"""
WITH requested AS (
    SELECT * FROM unnest(%(accounts)s::bigint[], %(messages)s::bigint[], %(amounts)s::bigint[])
        AS reservation (account, message, amount)
), covered AS (
    UPDATE billing_balance b SET reserved = b.reserved + total.amount
    FROM billing_account a, (SELECT account, sum(amount)::bigint AS amount FROM requested GROUP BY account) total
    WHERE b.account_id = total.account AND a.id = b.account_id AND COALESCE({AVAILABLE} >= total.amount, TRUE)
    RETURNING b.account_id
)
INSERT INTO billing_ledgerentry (account_id, kind, message, balance_change, reserved_change, note, created_at)
SELECT account, '{Kind.RESERVE}', message, 0, amount, '', %(now)s
FROM requested JOIN covered ON covered.account_id = requested.account
ORDER BY message
RETURNING message
"""  # noqa: S608 - made of constants

# A late booking of an earlier month (a slow clock, a delayed step) does not count towards the current month's spending.
BOOK = """
UPDATE billing_balance SET
    balance = balance + %(balance)s,
    reserved = reserved + %(reserved)s,
    spent = CASE WHEN month > %(month)s THEN spent WHEN month = %(month)s THEN spent + %(spent)s ELSE %(spent)s END,
    month = GREATEST(month, %(month)s)
WHERE account_id = %(account)s
"""


class InsufficientFunds(Exception):
    """The account cannot pay for the message. The text is shown to the customer."""


@dataclass(frozen=True, slots=True)
class Charge:
    """The price of a message, to be booked against its reservation."""

    account: int
    message: int
    amount: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """The highest price of a message, to be reserved for it."""

    account: Account
    message: int
    amount: int


def reserve(account: Account, message: int, amount: int, now: datetime) -> None:
    """Reserve the amount for the message.

    Raises InsufficientFunds, and then books nothing.
    """
    for refusal in reserve_all([Reservation(account, message, amount)], now).values():
        raise refusal


def reserve_all(reservations: Iterable[Reservation], now: datetime) -> dict[int, InsufficientFunds]:
    """Reserve the amounts in their order, as many as each account can pay for.

    Returns the refused messages with the reason; nothing is booked for them.
    """
    priced = [reservation for reservation in reservations if reservation.amount]
    covered = _reserve_by_account(priced, now)
    return _reserve_singly([reservation for reservation in priced if reservation.message not in covered], now)


def _reserve_singly(reservations: Sequence[Reservation], now: datetime) -> dict[int, InsufficientFunds]:
    """Reserve one amount at a time, for accounts that cannot pay for all of theirs or have no balance row yet."""
    # Sorted, because two transactions that insert the same new rows in different orders would deadlock.
    accounts = sorted({reservation.account.pk for reservation in reservations})
    Balance.objects.bulk_create((Balance(account_id=account) for account in accounts), ignore_conflicts=True)
    return {
        reservation.message: InsufficientFunds(_refusal(reservation.account, reservation.amount))
        for reservation in reservations
        if not _reserve_by_account([reservation], now)
    }


def _reserve_by_account(reservations: Sequence[Reservation], now: datetime) -> set[int]:
    """Reserve the amounts of every account that can pay for all of its own, and return their messages."""
    if not reservations:
        return set()
    values: dict[str, Any] = {
        "accounts": [reservation.account.pk for reservation in reservations],
        "messages": [reservation.message for reservation in reservations],
        "amounts": [reservation.amount for reservation in reservations],
        "month": first_of_month(now),
        "now": now,
    }
    with sql.pipeline():
        lock_balances(set(values["accounts"]))
        reserved = sql.execute(RESERVE, values)
    return {message for (message,) in reserved()}


def _refusal(account: Account, amount: int) -> str:
    price = f"up to {format_amount(amount, account.currency)}"
    if account.billing == Account.Billing.PREPAID:
        return f"The account's funds do not cover this message ({price}); top up the account and send it again"
    limit = format_amount(account.spend_limit or 0, account.currency)
    return f"This message ({price}) would exceed the account's spend limit of {limit} this month; ask for a higher one"


def lock_balances(accounts: Collection[int]) -> None:
    """Lock the balances of the accounts, always in the same order.

    A transaction that books more than once calls this first. Otherwise two of them could deadlock.
    """
    if len(accounts) > 1:
        sql.execute(LOCK_BALANCES, [list(accounts)])


def lock_free_balances(accounts: Collection[int]) -> set[int]:
    """Lock the balances that no other transaction holds. Return the accounts of those that one holds."""
    if not accounts:
        return set()
    return {account for (account,) in sql.fetch_rows(LOCK_FREE_BALANCES, {"accounts": list(accounts)})}


def lock_balance(account: int) -> None:
    """Lock the balance of the account, if it has one, until the transaction ends."""
    sql.execute(LOCK_BALANCES, [[account]])


def charge(charges: Iterable[Charge], now: datetime) -> None:
    """Book the prices of the messages and release the rest of their reservations.

    A charge of 0 releases the whole reservation.
    """
    entries = []
    for item in charges:
        if item.amount:
            entries.append(_entry(item, Kind.CHARGE, -item.amount, -item.amount, now))
        if item.reserved > item.amount:
            entries.append(_entry(item, Kind.RELEASE, 0, item.amount - item.reserved, now))
    _book(entries)


def refund(charges: Iterable[Charge], now: datetime) -> None:
    """Refund what was charged for the messages."""
    _book([_entry(item, Kind.REFUND, item.amount, 0, now) for item in charges if item.amount])


def _entry(item: Charge, kind: Kind, balance: int, reserved: int, now: datetime) -> LedgerEntry:
    return LedgerEntry(
        account_id=item.account,
        kind=kind,
        message=item.message,
        balance_change=balance,
        reserved_change=reserved,
        created_at=now,
    )


def top_up(account: Account, amount: int, note: str, now: datetime, form: UUID | None = None) -> bool:
    """Book a payment of the customer, unless this form is booked already. Return whether it was booked."""
    return _book_manually(account, Kind.TOP_UP, amount, note, now, form)


def adjust(account: Account, amount: int, note: str, now: datetime, form: UUID | None = None) -> bool:
    """Book a correction, positive or negative, as `top_up` books a payment; the note gives the reason."""
    return _book_manually(account, Kind.ADJUSTMENT, amount, note, now, form)


@sql.repeats_outdated
def _book_manually(account: Account, kind: Kind, amount: int, note: str, now: datetime, form: UUID | None) -> bool:
    with transaction.atomic():
        Balance.objects.bulk_create([Balance(account=account)], ignore_conflicts=True)
        Balance.objects.select_for_update(no_key=True).get(account=account)  # the same form may arrive twice at once
        by_hand = LedgerEntry.objects.filter(account=account, message=None)
        if form and by_hand.filter(form=form).exists():
            return False
        entry = LedgerEntry(
            account=account, kind=kind, balance_change=amount, reserved_change=0, note=note, form=form, created_at=now
        )
        _book([entry])
        low_balance.rearm(account, now)
    return True


def _book(entries: list[LedgerEntry]) -> None:
    """Insert the entries that are not in the ledger yet and add them to the balances."""
    if not entries:
        return
    booked = _already_booked(entries)
    new = [entry for entry in entries if (entry.message, entry.kind) not in booked]
    bulk.insert(new)
    by_account: Mapping[int, list[LedgerEntry]] = _group_by_account(new)
    # Sorted, so that two transactions cannot deadlock.
    for account in sorted(by_account):
        sql.fetch_rows(BOOK, _totals(account, by_account[account]))


def _already_booked(entries: list[LedgerEntry]) -> set[tuple[int | None, str]]:
    messages = [entry.message for entry in entries if entry.message is not None]
    return set(sql.fetch_rows("SELECT message, kind FROM billing_ledgerentry WHERE message = ANY(%s)", [messages]))


def _group_by_account(entries: list[LedgerEntry]) -> dict[int, list[LedgerEntry]]:
    grouped: dict[int, list[LedgerEntry]] = defaultdict(list)
    for entry in entries:
        grouped[entry.account_id].append(entry)
    return grouped


def _totals(account: int, entries: list[LedgerEntry]) -> dict[str, int | date]:
    spent = sum(-entry.balance_change for entry in entries if entry.kind in {Kind.CHARGE, Kind.REFUND})
    return {
        "account": account,
        "balance": sum(entry.balance_change for entry in entries),
        "reserved": sum(entry.reserved_change for entry in entries),
        "spent": spent,
        "month": first_of_month(entries[0].created_at),
    }


@dataclass(frozen=True, slots=True)
class Difference:
    """An account whose stored balance differs from the sum of its ledger; pairs of (balance, reserved), micro-units."""

    account: int
    stored: tuple[int, int]
    computed: tuple[int, int]


# One statement reads both sides from one snapshot, while the platform keeps booking.
RECONCILE = """
SELECT account_id, COALESCE(b.balance, 0), COALESCE(b.reserved, 0), COALESCE(l.balance, 0), COALESCE(l.reserved, 0)
FROM billing_balance b FULL JOIN (
    SELECT account_id, sum(balance_change)::bigint AS balance, sum(reserved_change)::bigint AS reserved
    FROM billing_ledgerentry GROUP BY account_id
) l USING (account_id)
WHERE (COALESCE(b.balance, 0), COALESCE(b.reserved, 0)) <> (COALESCE(l.balance, 0), COALESCE(l.reserved, 0))
ORDER BY account_id
"""


def reconcile() -> list[Difference]:
    """Compare all balances with the ledger and return the differences, of which there should be none."""
    with time_limits.lifted(), connection.cursor() as cursor:
        cursor.execute(RECONCILE)
        rows = cursor.fetchall()
    return [Difference(account, stored=(row[0], row[1]), computed=(row[2], row[3])) for account, *row in rows]


def record_reconciliation(now: datetime) -> list[Difference]:
    """Reconcile, store the result as a Proof, and return the differences. Reads the whole ledger."""
    differences = reconcile()
    Proof.objects.create(at=now, accounts=len(differences))
    return differences
