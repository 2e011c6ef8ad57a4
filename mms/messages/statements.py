"""Statements: the ledger entries of one account in one month (UTC), summed by class, country, carrier and price.

Every booking is in exactly one line, so that the lines add up to the ledger. A statement reads the entries of the
month by index, and the message of each by its key.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.db import connection

from billing.amounts import format_decimal
from billing.models import Account

HEADERS = ("line", "class", "country", "carrier", "messages", "price", "amount", "currency", "date", "note")

# An amount settled for a message is the price of its DDM, if it paid for one, and the rest is the price of its MMS.
LINES = """
WITH booked AS (
    SELECT e.id, e.kind, e.balance_change, e.message IS NULL AS by_hand, e.created_at, e.note,
        COALESCE(m.country, '') AS country, COALESCE(c.name, '') AS carrier,
        CASE WHEN e.kind = 'settle' AND m.pays_ddm THEN LEAST(m.price_ddm, -e.balance_change) ELSE 0 END AS ddm
    FROM billing_ledgerentry e
        LEFT JOIN mms_message m ON m.id = e.message
        LEFT JOIN mms_carrier c ON c.id = m.carrier_id
    WHERE e.account_id = %(account)s AND e.created_at >= %(start)s AND e.created_at < %(end)s
        AND e.balance_change <> 0
),
parts AS (
    SELECT kind, 'MMS' AS class, country, carrier, balance_change + ddm AS amount FROM booked WHERE NOT by_hand
    UNION ALL
    SELECT kind, 'DDM', country, carrier, -ddm FROM booked WHERE NOT by_hand
),
lines AS (
    SELECT 0 AS id, kind, class, country, carrier, COUNT(*) AS messages, amount AS price, SUM(amount) AS amount,
        NULL::timestamptz AS created_at, '' AS note
    FROM parts WHERE amount <> 0 GROUP BY kind, class, country, carrier, amount
    UNION ALL
    SELECT id, kind, '', '', '', NULL, NULL, balance_change, created_at, note FROM booked WHERE by_hand
)
SELECT kind, class, country, carrier, messages, price, amount::bigint, created_at, note
FROM lines ORDER BY id, kind DESC, class DESC, country, carrier, price
"""

# The present balance less everything booked since the start; one SQL statement, for a consistent view of both.
OPENING = """
SELECT b.balance - COALESCE(SUM(e.balance_change), 0)::bigint
FROM billing_balance b
    LEFT JOIN billing_ledgerentry e ON e.account_id = b.account_id AND e.created_at >= %(start)s
WHERE b.account_id = %(account)s GROUP BY b.balance
"""


@dataclass(frozen=True, slots=True)
class Line:
    """The messages of one class, country, carrier and price, or one top-up or adjustment; micro-units."""

    kind: str
    message_class: str
    country: str
    carrier: str
    messages: int | None
    price: int | None
    amount: int
    at: datetime | None
    note: str


@dataclass(frozen=True, slots=True)
class Statement:
    """An account's statement for the month that begins on `month`; `opening` is the opening balance in micro-units."""

    account: Account
    month: date
    opening: int
    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"statement-{self.account.pk}-{self.month:%Y-%m}.csv"


def statement_for(account: Account, month: date) -> Statement:
    """Return the account's statement for the month of this date."""
    start = datetime(month.year, month.month, 1, tzinfo=UTC)
    end = datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
    values: dict[str, Any] = {"account": account.pk, "start": start, "end": end}
    with connection.cursor() as cursor:
        cursor.execute(OPENING, values)
        (opening,) = cursor.fetchone() or (0,)
        cursor.execute(LINES, values)
        lines = tuple(Line(*row) for row in cursor.fetchall())
    return Statement(account, start.date(), opening, lines)


def to_csv(statement: Statement) -> str:
    """Return the statement as CSV (RFC 4180): opening balance, lines, closing balance."""
    file = io.StringIO()
    writer = csv.DictWriter(file, HEADERS, restval="")
    writer.writeheader()
    writer.writerows({**row, "currency": statement.account.currency} for row in _rows(statement))
    return file.getvalue()


def _rows(statement: Statement) -> Iterator[dict[str, Any]]:
    yield {"line": "opening balance", "amount": format_decimal(statement.opening), "date": statement.month}
    for line in statement.lines:
        yield {
            "line": line.kind,
            "class": line.message_class,
            "country": line.country,
            "carrier": line.carrier,
            "messages": line.messages,
            "price": None if line.price is None else format_decimal(abs(line.price)),
            "amount": format_decimal(line.amount),
            "date": line.at and line.at.date(),
            "note": line.note,
        }
    yield {"line": "closing balance", "amount": format_decimal(statement.opening + statement.total)}
