"""The backlog: rows that are due and wait for a worker, by queue. Each figure costs a few index descents."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

# The highest count of one queue: a larger figure would change no decision.
MAX_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Due:
    """The due rows of a queue, and of one carrier if the queue is per carrier: their count and the oldest due time."""

    queue: str
    carrier: str
    rows: int
    oldest: datetime | None

    def age(self, now: datetime) -> float:
        """Return how long the oldest row has been due, in seconds."""
        return max(0.0, (now - self.oldest).total_seconds()) if self.oldest else 0.0


BY_CARRIER: Final = """
SELECT %(queue)s, carrier.slug, due.rows, due.oldest FROM mms_carrier carrier, LATERAL (
    SELECT count(*) AS rows, min(due_at) AS oldest FROM (
        SELECT due_at FROM {table} WHERE carrier_id = carrier.id AND status = 'accepted' AND due_at <= %(now)s
        ORDER BY due_at LIMIT %(most)s
    ) first
) due
WHERE carrier.enabled
"""
# The oldest row of each account is read from its index; the count stops at the limit, in any order.
BY_ACCOUNT: Final = """
SELECT %(queue)s, '', (
    SELECT count(*) FROM (
        SELECT 1 FROM billing_account account, LATERAL (
            SELECT 1 FROM {table} WHERE account_id = account.id AND due_at <= %(now)s LIMIT %(most)s
        ) of_one LIMIT %(most)s
    ) first
), (
    SELECT min(of_one.due_at) FROM billing_account account, LATERAL (
        SELECT due_at FROM {table} WHERE account_id = account.id AND due_at <= %(now)s ORDER BY due_at LIMIT 1
    ) of_one
)
"""
BY_TIME: Final = """
SELECT %(queue)s, '', count(*), min(due_at) FROM (
    SELECT due_at FROM {table} WHERE due_at <= %(now)s ORDER BY due_at LIMIT %(most)s
) first
"""
# Leases, deadlines and expiries, which the sweep ends.
BY_STATUS: Final = """
SELECT %(queue)s, '', COALESCE(sum(due.rows), 0)::bigint, min(due.oldest)
FROM unnest(ARRAY['encoding', 'discovering', 'sending', 'submitted', 'in_doubt']) state, LATERAL (
    SELECT count(*) AS rows, min(due_at) AS oldest FROM (
        SELECT due_at FROM {table} WHERE status = state AND status <> 'accepted' AND due_at <= %(now)s
        ORDER BY due_at LIMIT %(most)s
    ) first
) due
"""
QUEUES: Final = (
    ("messages", "mms_message", BY_CARRIER),
    ("discoveries", "mms_discovery", BY_CARRIER),
    ("message-deadlines", "mms_message", BY_STATUS),
    ("discovery-deadlines", "mms_discovery", BY_STATUS),
    ("postbacks", "mms_postback", BY_ACCOUNT),
    ("encodings", "mms_encoding", BY_TIME),
    ("reports", "mms_report", BY_TIME),
    ("low-balance-notices", "billing_lowbalancenotice", BY_TIME),
    ("discarded-files", "mms_discardedfile", BY_TIME),
)


def due(now: datetime) -> list[Due]:
    """Return the due rows of every queue, including empty ones."""
    return [found for queue, table, sql in QUEUES for found in _due(sql.format(table=table), queue, now)]


def _due(sql: str, queue: str, now: datetime) -> Iterable[Due]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"queue": queue, "now": now, "most": MAX_ROWS})
        return [Due(*row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rows that wait for something other than a worker; each count is at most MAX_ROWS."""

    discoveries: int
    in_doubt: int
    unmatched_reports: int
    postbacks: int


WAITING: Final = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM mms_discovery WHERE due_at IS NOT NULL LIMIT %(most)s) open),
    (SELECT count(*) FROM (
        SELECT 1 FROM mms_message WHERE status = 'in_doubt' AND status <> 'accepted' AND due_at IS NOT NULL
        LIMIT %(most)s) doubtful),
    (SELECT count(*) FROM (SELECT 1 FROM mms_report WHERE due_at IS NOT NULL LIMIT %(most)s) unmatched),
    (SELECT count(*) FROM (SELECT 1 FROM mms_postback WHERE due_at IS NOT NULL LIMIT %(most)s) pending)
"""


def waiting() -> Waiting:
    """Return the rows that wait for something other than a worker."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING, {"most": MAX_ROWS})
        return Waiting(*cursor.fetchone())
