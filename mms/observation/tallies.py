"""Counters that only grow, brought up to date when they are read.

Each source is a table that is only added to, read by primary key from where the last look ended: a look costs what is
new, and no process that handles messages pays for it. The sums are rows, so every web process tells the same, and a
restart does not set them back. docs/decisions/2026-11-22-metrics.md has the reasons.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction

from mms.models import Counted, Tally

# Seconds; the buckets of every distribution. The last of a tally's buckets is without bound.
BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)
# Rows are counted once they are so old: the transaction of one with a lower key may still be open, and whatever
# commits below the mark is never counted.
SETTLED: Final = timedelta(seconds=10)
# Rows of one source that a look counts at most. What is more, the next one counts.
MOST: Final = 50_000


@dataclass(frozen=True, slots=True)
class Source:
    """A table to count: its name, and a SELECT of id, ripe, carrier, kind and measure from `fresh`, its new rows.

    What is not ripe yet is counted later, with all that comes after it.
    """

    name: str
    table: str
    rows: str


SOURCES: Final = (
    # Steps of messages. How long it took from the accept to the MMSC, and from there to the end.
    Source(
        "events",
        "mms_event",
        """
        SELECT fresh.id, at <= %(settled)s AS ripe, m.carrier_id AS carrier, kind, CASE
            WHEN kind = 'submitted' THEN EXTRACT(epoch FROM at - m.created_at)
            WHEN kind IN ('delivered', 'expired', 'rejected') THEN EXTRACT(epoch FROM at - m.submitted_at)
            WHEN kind = 'adapted' THEN (details->>'renditions')::integer
        END AS measure
        FROM fresh JOIN mms_message m ON m.id = message_id
        """,
    ),
    # Submits to MMSCs, of messages and DDMs, and how long the MMSC took to answer. Longer than a lease is never.
    Source(
        "attempts",
        "mms_attempt",
        """
        SELECT id, started_at <= %(settled)s AND (finished_at IS NOT NULL OR started_at <= %(hopeless)s) AS ripe,
            carrier_id AS carrier, COALESCE(NULLIF(outcome, ''), 'unknown') AS kind,
            EXTRACT(epoch FROM finished_at - started_at) AS measure
        FROM fresh
        """,
    ),
    Source(
        "postbacks",
        "mms_postbackattempt",
        """
        SELECT id, started_at <= %(settled)s AND (duration_ms IS NOT NULL OR started_at <= %(hopeless)s) AS ripe,
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
        SELECT fresh.id, fresh.created_at <= %(settled)s AS ripe, NULL::bigint AS carrier, m.kind,
            NULL::float AS measure
        FROM fresh JOIN mms_medium m ON m.id = medium_id
        """,
    ),
)
# An attempt that is not completed by then will not be in time: its worker died.
HOPELESS: Final = timedelta(minutes=3)

COUNT: Final = """
WITH fresh AS (SELECT * FROM {table} WHERE id > %(mark)s ORDER BY id LIMIT %(most)s),
told AS ({rows}),
counted AS (SELECT * FROM told WHERE id < COALESCE((SELECT min(id) FROM told WHERE NOT ripe), 9223372036854775807))
SELECT max(id), carrier, kind, count(*), COALESCE(sum(measure), 0)::float, ARRAY[{buckets}]
FROM counted GROUP BY carrier, kind
"""
BUCKETS: Final = ", ".join([*(f"count(*) FILTER (WHERE measure <= {bound})" for bound in BOUNDS), "count(measure)"])


def count_new_rows(now: datetime) -> None:
    """Counts what is new. A source that somebody else counts right now is left to him."""
    for source in SOURCES:
        with transaction.atomic():
            counted = _taken(source)
            if counted:
                _count(source, counted, now)


def _taken(source: Source) -> Counted | None:
    if not Counted.objects.filter(source=source.name).exists():
        Counted.objects.bulk_create([Counted(source=source.name, mark=_start(source))], ignore_conflicts=True)
    return Counted.objects.select_for_update(skip_locked=True).filter(source=source.name).first()


def _start(source: Source) -> int:
    """Where the first look begins: at the first row, or where a large table would make it long, further on."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COALESCE(max(id), 0) FROM {source.table}")  # noqa: S608 - a constant
        return max(0, int(cursor.fetchone()[0]) - MOST)


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
    values: dict[str, Any] = {"mark": mark, "most": MOST, "settled": now - SETTLED, "hopeless": now - HOPELESS}
    with connection.cursor() as cursor:
        cursor.execute(COUNT.format(table=source.table, rows=source.rows, buckets=BUCKETS), values)
        yield from cursor.fetchall()
