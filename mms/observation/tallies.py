"""Tallies: monotonic counters stored as rows, updated when they are read.

Each source is an append-only table, read by primary key from where the last count ended: a count costs only the new
rows, and no process that handles messages pays for it. As the sums are rows, every web process reports the same, and
a restart does not reset them. docs/decisions/2026-11-22-metrics.md gives the reasons.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction

from mms.models import Counted, Tally

# Upper bounds of the histogram buckets, in seconds. The last bucket of a tally has no bound.
BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)
# Age at which rows are counted: a transaction with a lower key may still be open, and rows that commit below the mark
# are never counted.
SETTLED: Final = timedelta(seconds=10)
# Maximum number of rows of one source per count; the next count continues.
MAX_ROWS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Source:
    """A table to count: its name, and a SELECT of id, settled, carrier, kind and measure from `fresh`, its new rows.

    A row that has not settled is counted later, with all rows after it.
    """

    name: str
    table: str
    rows: str


SOURCES: Final = (
    # Steps of messages, with the time from accept to submit, and from submit to the final status.
    Source(
        "events",
        "mms_event",
        """
        SELECT fresh.id, at <= %(settled)s AS settled, m.carrier_id AS carrier, kind, CASE
            WHEN kind = 'submitted' THEN EXTRACT(epoch FROM at - m.created_at)
            WHEN kind IN ('delivered', 'expired', 'rejected') THEN EXTRACT(epoch FROM at - m.submitted_at)
            WHEN kind = 'adapted' THEN (details->>'renditions')::integer
        END AS measure
        FROM fresh JOIN mms_message m ON m.id = message_id
        """,
    ),
    # Submits of messages and DDMs, with the time until the MMSC answered.
    Source(
        "attempts",
        "mms_attempt",
        """
        SELECT id, started_at <= %(settled)s AND (finished_at IS NOT NULL OR started_at <= %(abandoned)s) AS settled,
            carrier_id AS carrier, COALESCE(NULLIF(outcome, ''), 'unknown') AS kind,
            EXTRACT(epoch FROM finished_at - started_at) AS measure
        FROM fresh
        """,
    ),
    Source(
        "postbacks",
        "mms_postbackattempt",
        """
        SELECT id, started_at <= %(settled)s AND (duration_ms IS NOT NULL OR started_at <= %(abandoned)s) AS settled,
            NULL::bigint AS carrier,
            CASE WHEN http_status = 200 THEN 'taken' WHEN http_status IS NOT NULL THEN 'refused'
                 WHEN error <> '' THEN 'unanswered' ELSE 'unknown' END AS kind,
            duration_ms / 1000.0 AS measure
        FROM fresh
        """,
    ),
    Source(
        "renditions",
        "mms_rendition",
        """
        SELECT fresh.id, fresh.created_at <= %(settled)s AS settled, NULL::bigint AS carrier, m.kind,
            NULL::float AS measure
        FROM fresh JOIN mms_medium m ON m.id = medium_id
        """,
    ),
)
# Age at which an attempt without an outcome counts as abandoned: its worker died.
ABANDONED: Final = timedelta(minutes=3)

COUNT: Final = """
WITH fresh AS (SELECT * FROM {table} WHERE id > %(mark)s ORDER BY id LIMIT %(most)s),
candidates AS ({rows}),
counted AS (
    SELECT * FROM candidates
    WHERE id < COALESCE((SELECT min(id) FROM candidates WHERE NOT settled), 9223372036854775807)
)
SELECT max(id), carrier, kind, count(*), COALESCE(sum(measure), 0)::float, ARRAY[{buckets}]
FROM counted GROUP BY carrier, kind
"""
BUCKETS: Final = ", ".join([*(f"count(*) FILTER (WHERE measure <= {bound})" for bound in BOUNDS), "count(measure)"])


def count_new_rows(now: datetime) -> None:
    """Add new rows to the tallies. A source that another scrape is counting is skipped."""
    for source in SOURCES:
        with transaction.atomic():
            counted = _lock(source)
            if counted:
                _count(source, counted, now)


def _lock(source: Source) -> Counted | None:
    if not Counted.objects.filter(source=source.name).exists():
        Counted.objects.bulk_create([Counted(source=source.name, mark=_start(source))], ignore_conflicts=True)
    return Counted.objects.select_for_update(skip_locked=True).filter(source=source.name).first()


def _start(source: Source) -> int:
    """Return the mark of the first count: the first row, or MAX_ROWS before the end of a large table."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COALESCE(max(id), 0) FROM {source.table}")  # noqa: S608 - a constant
        return max(0, int(cursor.fetchone()[0]) - MAX_ROWS)


def _count(source: Source, counted: Counted, now: datetime) -> None:
    tallies = {(tally.carrier_id, tally.kind): tally for tally in Tally.objects.filter(source=source.name)}
    for last, carrier, kind, count, total, buckets in _new(source, counted.mark, now):
        counted.mark = max(counted.mark, last)
        tally = tallies.get((carrier, kind)) or Tally(source=source.name, carrier_id=carrier, kind=kind)
        tally.count += count
        tally.total += total
        tally.buckets = [a + b for a, b in zip(tally.buckets or [0] * len(buckets), buckets, strict=True)]
        tally.save()
    counted.save()


def _new(source: Source, mark: int, now: datetime) -> Iterator[tuple[int, int | None, str, int, float, list[int]]]:
    values: dict[str, Any] = {"mark": mark, "most": MAX_ROWS, "settled": now - SETTLED, "abandoned": now - ABANDONED}
    with connection.cursor() as cursor:
        cursor.execute(COUNT.format(table=source.table, rows=source.rows, buckets=BUCKETS), values)
        yield from cursor.fetchall()
