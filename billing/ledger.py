"""The ledger: money is reserved when a message is accepted, settled when its outcome is known, and never lost between.

Every booking is lines in the append-only ledger and one conditional update of the account's balance, in the
transaction of the step that it belongs to: the caller holds it. A message has each kind of line once at most, so a
step that is repeated books nothing. Amounts are micro-units: 1,000,000 is 1.00.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from base import bulk, sql
from billing import low_balance
from billing.amounts import format_amount
from billing.available import AVAILABLE, first_of_month
from billing.models import Account, Balance, LedgerEntry, Proof

Kind = LedgerEntry.Kind

# In one order for all.
HOLD = "SELECT FROM billing_balance WHERE account_id = ANY(%s) ORDER BY account_id FOR NO KEY UPDATE"

# One statement, so that no interleaving of parallel calls overdraws: whoever comes second sees the first's amount.
RESERVE = f"""
WITH wanted AS (
    SELECT * FROM unnest(%(accounts)s::bigint[], %(messages)s::bigint[], %(amounts)s::bigint[])
        AS one (account, message, amount)
), covered AS (
    UPDATE billing_balance b SET reserved = b.reserved + whole.amount
    FROM billing_account a, (SELECT account, sum(amount)::bigint AS amount FROM wanted GROUP BY account) whole
    WHERE b.account_id = whole.account AND a.id = b.account_id AND COALESCE({AVAILABLE} >= whole.amount, TRUE)
    RETURNING b.account_id
)
INSERT INTO billing_ledgerentry (account_id, kind, message, balance_change, reserved_change, note, created_at)
SELECT account, '{Kind.RESERVE}', message, 0, amount, '', %(now)s
FROM wanted JOIN covered ON covered.account_id = wanted.account
ORDER BY message
RETURNING message
"""  # noqa: S608 - made of constants

# What comes after its month's end, from a clock that is slow or a step that waited, leaves the next month's alone.
BOOK = """
UPDATE billing_balance SET
    balance = balance + %(balance)s,
    reserved = reserved + %(reserved)s,
    spent = CASE WHEN month > %(month)s THEN spent WHEN month = %(month)s THEN spent + %(spent)s ELSE %(spent)s END,
    month = GREATEST(month, %(month)s)
WHERE account_id = %(account)s
"""


class InsufficientFunds(Exception):
    """The account cannot pay for the message; the text is fit for the customer."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What a message really cost, to be settled against what was reserved for it."""

    account: int
    message: int
    amount: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a message may cost at most, to be held for it."""

    account: Account
    message: int
    amount: int


def reserve(account: Account, message: int, amount: int, now: datetime) -> None:
    """Holds the amount for the message. Raises InsufficientFunds, and then nothing is booked."""
    for problem in reserve_all([Reservation(account, message, amount)], now).values():
        raise problem


def reserve_all(wanted: Iterable[Reservation], now: datetime) -> dict[int, InsufficientFunds]:
    """Holds these amounts, as many of them as each account can pay for, in their order.

    Returns the messages that are not covered, with the reason; for them nothing is booked.
    """
    priced = [one for one in wanted if one.amount]
    covered = _covered(priced, now)
    return _covered_singly([one for one in priced if one.message not in covered], now)


def _covered_singly(wanted: Sequence[Reservation], now: datetime) -> dict[int, InsufficientFunds]:
    """Holds one amount after the other, of accounts that cannot pay for all of theirs or never had a balance."""
    # In one order for all, or two that book for the first time could wait for each other's new rows.
    accounts = sorted({one.account.pk for one in wanted})
    Balance.objects.bulk_create((Balance(account_id=account) for account in accounts), ignore_conflicts=True)
    return {
        one.message: InsufficientFunds(_refusal(one.account, one.amount)) for one in wanted if not _covered([one], now)
    }


def _covered(wanted: Sequence[Reservation], now: datetime) -> set[int]:
    """Holds the amounts of each account that can pay for all of its own; the messages that these are for."""
    if not wanted:
        return set()
    values: dict[str, Any] = {
        "accounts": [one.account.pk for one in wanted],
        "messages": [one.message for one in wanted],
        "amounts": [one.amount for one in wanted],
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
    return f"This message ({price}) would pass the account's spend limit of {limit} for this month; ask to raise it"


def lock_balances(accounts: Collection[int]) -> None:
    """Locks the balances of these accounts, in one order for all.

    For a transaction that books several times: else two of them could each wait for a balance that the other has.
    """
    if len(accounts) > 1:
        sql.execute(HOLD, [list(accounts)])


def charge(charges: Iterable[Charge], now: datetime) -> None:
    """Takes what the messages cost and releases the rest of what was reserved for them.

    One whose charge is nothing is released whole.
    """
    lines = []
    for charge in charges:
        if charge.amount:
            lines.append(_line(charge, Kind.CHARGE, -charge.amount, -charge.amount, now))
        if charge.reserved > charge.amount:
            lines.append(_line(charge, Kind.RELEASE, 0, charge.amount - charge.reserved, now))
    _book(lines)


def refund(charges: Iterable[Charge], now: datetime) -> None:
    """Gives back what was settled for these messages."""
    _book([_line(charge, Kind.REFUND, charge.amount, 0, now) for charge in charges if charge.amount])


def _line(charge: Charge, kind: Kind, balance: int, reserved: int, now: datetime) -> LedgerEntry:
    return LedgerEntry(
        account_id=charge.account,
        kind=kind,
        message=charge.message,
        balance_change=balance,
        reserved_change=reserved,
        created_at=now,
    )


def top_up(account: Account, amount: int, note: str, now: datetime) -> None:
    """Adds what the account has paid."""
    _book_by_hand(account, Kind.TOP_UP, amount, note, now)


def adjust(account: Account, amount: int, note: str, now: datetime) -> None:
    """Puts a mistake right, up or down; the note says why."""
    _book_by_hand(account, Kind.ADJUSTMENT, amount, note, now)


def _book_by_hand(account: Account, kind: Kind, amount: int, note: str, now: datetime) -> None:
    with transaction.atomic():
        Balance.objects.bulk_create([Balance(account=account)], ignore_conflicts=True)
        line = LedgerEntry(
            account=account, kind=kind, balance_change=amount, reserved_change=0, note=note, created_at=now
        )
        _book([line])
        low_balance.rearm(account, now)


def _book(lines: list[LedgerEntry]) -> None:
    """Writes those of the lines that are not in the ledger yet, and adds them to the balances."""
    if not lines:
        return
    known = _already_booked(lines)
    new = [line for line in lines if (line.message, line.kind) not in known]
    bulk.insert(new)
    by_account: Mapping[int, list[LedgerEntry]] = _grouped(new)
    # In one order for all, so that two bookings never wait for each other.
    for account in sorted(by_account):
        sql.fetch_rows(BOOK, _totals(account, by_account[account]))


def _already_booked(lines: list[LedgerEntry]) -> set[tuple[int | None, str]]:
    messages = [line.message for line in lines if line.message is not None]
    return set(sql.fetch_rows("SELECT message, kind FROM billing_ledgerentry WHERE message = ANY(%s)", [messages]))


def _grouped(lines: list[LedgerEntry]) -> dict[int, list[LedgerEntry]]:
    grouped: dict[int, list[LedgerEntry]] = defaultdict(list)
    for line in lines:
        grouped[line.account_id].append(line)
    return grouped


def _totals(account: int, lines: list[LedgerEntry]) -> dict[str, int | date]:
    spent = sum(-line.balance_change for line in lines if line.kind in {Kind.CHARGE, Kind.REFUND})
    return {
        "account": account,
        "balance": sum(line.balance_change for line in lines),
        "reserved": sum(line.reserved_change for line in lines),
        "spent": spent,
        "month": first_of_month(lines[0].created_at),
    }


@dataclass(frozen=True, slots=True)
class Difference:
    """An account whose balance is not what its ledger adds up to. Micro-units."""

    account: int
    stored: tuple[int, int]
    computed: tuple[int, int]


# One statement, so that both sides are of one moment while the platform books on.
PROVE = """
SELECT account_id, COALESCE(b.balance, 0), COALESCE(b.reserved, 0), COALESCE(l.balance, 0), COALESCE(l.reserved, 0)
FROM billing_balance b FULL JOIN (
    SELECT account_id, sum(balance_change)::bigint AS balance, sum(reserved_change)::bigint AS reserved
    FROM billing_ledgerentry GROUP BY account_id
) l USING (account_id)
WHERE (COALESCE(b.balance, 0), COALESCE(b.reserved, 0)) <> (COALESCE(l.balance, 0), COALESCE(l.reserved, 0))
ORDER BY account_id
"""


def reconcile() -> list[Difference]:
    """The accounts whose balance or reserved amount is not the sum of their ledger: none, or something is wrong."""
    with connection.cursor() as cursor:
        cursor.execute(PROVE)
        rows = cursor.fetchall()
    return [Difference(account, stored=(row[0], row[1]), computed=(row[2], row[3])) for account, *row in rows]


def record_reconciliation(now: datetime) -> list[Difference]:
    """The same, and notes that it was done and what it found. Reads the whole ledger."""
    differences = reconcile()
    Proof.objects.create(at=now, accounts=len(differences))
    return differences
