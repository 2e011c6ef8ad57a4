"""The feed of a carrier: how many due rows may be claimed for it now.

A carrier whose MMSC stops answering is paused for all workers, so that a hang leaves a few messages in doubt and not
the backlog. After the pause one row is claimed as the probe: an answer ends the pauses; without one, the next pause
begins. A carrier with a throughput is granted rows at that rate. The claim asks here (leases.py), and the sender
records what became of the submits (sender.py).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from django.db import OperationalError, transaction

from base import sql
from mms.models import Attempt, Discovery, Message
from mms.models.carrier_feed import Grant
from mms.protocol.submit import UNANSWERED

log = structlog.get_logger()

# Consecutive submits without an answer after which the carrier is paused.
FAILURES_MAX = 3
# The pauses in turn, while the probe after each stays without an answer; the last one is repeated.
PAUSE_SCHEDULE = (timedelta(seconds=10), timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2))
# Time for the preparation of a probe. If it has no result so long after the carrier's time limit, its worker has died.
PROBE_PREPARATION = timedelta(seconds=10)
# Seconds for a feed that another transaction holds. What is not recorded then, a later submit tells again.
LOCK_WAIT = 0.25

# The carriers that may be fed, in random order, so that with little room the same ones do not always go first. A claim
# takes at most a tenth of a second's throughput (rounded up), and a probe is one row. Of a carrier whose throughput
# allows nothing yet, one row is read: it is `held`, and shows that more is due.
CARRIERS = """
SELECT carrier.id, feed.paused_until IS NOT NULL AS probed, carrier.throughput IS NOT NULL AS limited,
    carrier.throughput IS NOT NULL AND COALESCE(feed.next_submit_at > %(now)s, FALSE) AS held,
    CASE WHEN feed.paused_until IS NOT NULL OR feed.next_submit_at > %(now)s THEN 1 ELSE LEAST(
        CASE WHEN %(trusted)s::bigint[] IS NULL OR carrier.id = ANY(%(trusted)s::bigint[])
             THEN %(limit)s ELSE %(trial)s END,
        (carrier.throughput + 9) / 10
    ) END AS room
FROM mms_carrier carrier LEFT JOIN mms_carrierfeed feed ON feed.carrier_id = carrier.id
WHERE carrier.enabled AND carrier.id <> ALL(%(busy)s) AND COALESCE(feed.paused_until <= %(now)s, TRUE)
ORDER BY random()
"""

# The time that one row takes at the throughput. Claims take several rows at once, so the rate is lower by one claim:
# then no second has more submits than the throughput, whenever it begins.
SLOT = "interval '1 second' / (carrier.throughput - (carrier.throughput + 9) / 10 + 1)"

# Only a carrier with a throughput can be without a row: one that is paused has it.
CREATE = """
INSERT INTO mms_carrierfeed (carrier_id)
SELECT carrier FROM unnest(%(carriers)s::bigint[]) AS asked (carrier)
WHERE NOT EXISTS (SELECT FROM mms_carrierfeed WHERE carrier_id = carrier)
ORDER BY carrier
ON CONFLICT DO NOTHING
"""

# Of several workers, the first one changes the row; the others then find the condition false. A carrier whose row is
# locked gets nothing this time: a session that forgets its lock stops neither the claim nor the other carriers.
GRANT = f"""
WITH free AS (
    SELECT carrier_id FROM mms_carrierfeed WHERE carrier_id = ANY(%(carriers)s::bigint[])
    ORDER BY carrier_id FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE mms_carrierfeed feed SET
    next_submit_at = %(now)s + asked.rows * {SLOT},
    paused_until = CASE WHEN feed.paused_until IS NOT NULL
                        THEN %(now)s + make_interval(secs => carrier.timeout) + %(preparation)s END
FROM free
JOIN unnest(%(carriers)s::bigint[], %(rows)s::integer[], %(probed)s::boolean[]) AS asked (carrier, rows, probed)
    ON asked.carrier = free.carrier_id
JOIN mms_carrier carrier ON carrier.id = asked.carrier
WHERE feed.carrier_id = free.carrier_id AND COALESCE(feed.next_submit_at <= %(now)s, TRUE)
    AND (feed.paused_until IS NULL OR asked.probed AND feed.paused_until <= %(now)s)
RETURNING feed.carrier_id, feed.next_submit_at, feed.paused_until
"""  # noqa: S608 - made of constants

# Only what the grant has set: another grant or a pause may have begun since.
GIVE_BACK = f"""
UPDATE mms_carrierfeed feed SET
    next_submit_at = feed.next_submit_at
        - CASE WHEN feed.next_submit_at = %(next_submit_at)s::timestamptz THEN %(rows)s ELSE 0 END * {SLOT},
    paused_until = CASE WHEN feed.paused_until = %(paused_until)s::timestamptz THEN %(now)s ELSE feed.paused_until END
FROM mms_carrier carrier
WHERE feed.carrier_id = %(carrier)s AND carrier.id = feed.carrier_id
"""  # noqa: S608 - made of constants

FAILING = "SELECT carrier_id FROM mms_carrierfeed WHERE carrier_id = ANY(%(carriers)s) AND failures > 0"
RESUME = """
UPDATE mms_carrierfeed SET failures = 0, pauses = 0, paused_until = NULL, changed_at = %(now)s
WHERE carrier_id = %(carrier)s AND failures > 0
RETURNING carrier_id
"""

# Submits that started before the last change tell nothing new: a pause has begun since, or the MMSC has answered.
NEWS = "(feed.changed_at IS NULL OR feed.changed_at < %(started)s)"
COUNT = f"""
INSERT INTO mms_carrierfeed AS feed (carrier_id, failures) VALUES (%(carrier)s, %(failures)s)
ON CONFLICT (carrier_id) DO UPDATE SET failures = feed.failures + excluded.failures WHERE {NEWS}
RETURNING feed.failures
"""  # noqa: S608 - made of constants
PAUSE = f"""
UPDATE mms_carrierfeed feed SET pauses = feed.pauses + 1, changed_at = %(now)s,
    paused_until = %(now)s + (%(schedule)s::interval[])[LEAST(feed.pauses + 1, cardinality(%(schedule)s::interval[]))]
WHERE feed.carrier_id = %(carrier)s AND feed.failures >= %(most)s AND {NEWS}
RETURNING feed.failures, feed.paused_until
"""  # noqa: S608 - made of constants


class DueRow(NamedTuple):
    """A due row, locked for a claim, and the state of its carrier's feed."""

    key: int
    losses: int
    carrier: int
    probed: bool  # its carrier was paused: this row is the probe
    limited: bool  # its carrier has a throughput
    held: bool  # the throughput does not allow it yet

    @property
    def is_granted(self) -> bool:
        """Return whether the claim of the row needs a grant."""
        return self.probed or self.limited


def grant(due: Sequence[DueRow], now: datetime) -> dict[DueRow, Grant | None]:
    """Return the rows that may be claimed, all of a carrier or none, each with its grant if it needs one.

    The caller holds the transaction.
    """
    asked = Counter((row.carrier, row.probed) for row in due if row.is_granted)
    if not asked:
        return dict.fromkeys(due)
    values = {
        "carriers": [carrier for carrier, _ in asked],
        "probed": [probed for _, probed in asked],
        "rows": list(asked.values()),
        "now": now,
        "preparation": PROBE_PREPARATION,
    }
    sql.fetch_rows(CREATE, {"carriers": values["carriers"]})
    grants = {carrier: Grant(carrier, *times) for carrier, *times in sql.fetch_rows(GRANT, values)}
    claimable = (row for row in due if not row.is_granted or row.carrier in grants)
    return {row: grants[row.carrier] if row.is_granted else None for row in claimable}


def give_back(unused: Iterable[Message | Discovery], now: datetime) -> None:
    """Give back the grants of rows that needed no submit now, so that the next claim can use them.

    Nothing is given back once another claim has been granted: it would be sent in its time.
    """
    grants = Counter(sent.grant for sent in unused if sent.grant)
    for given, rows in sorted(grants.items(), key=lambda item: item[0].carrier):
        _change(GIVE_BACK, {**given._asdict(), "rows": rows, "now": now})


def record(attempts: Iterable[Attempt], now: datetime) -> None:
    """Record which MMSCs answered the completed attempts, and which did not: pause or resume their carriers."""
    by_carrier: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        by_carrier[attempt.carrier_id].append(attempt)
    answered = [key for key, some in by_carrier.items() if any(each.outcome not in UNANSWERED for each in some)]
    for (key,) in sql.fetch_rows(FAILING, {"carriers": answered}) if answered else ():
        if _change(RESUME, {"carrier": key, "now": now}):
            log.info("carrier resumed", carrier=by_carrier[key][0].carrier.slug)
    for key in sorted(by_carrier.keys() - set(answered)):
        _record_failures(by_carrier[key], now)


def _record_failures(unanswered: Sequence[Attempt], now: datetime) -> None:
    carrier, started = unanswered[0].carrier, max(attempt.started_at for attempt in unanswered)
    values = {"carrier": carrier.pk, "started": started, "now": now}
    counted = _change(COUNT, {**values, "failures": len(unanswered)})
    if not counted or counted[0][0] < FAILURES_MAX:
        return
    schedule = list(PAUSE_SCHEDULE)
    for failures, until in _change(PAUSE, {**values, "most": FAILURES_MAX, "schedule": schedule}):
        log.warning("carrier paused", carrier=carrier.slug, failures=failures, until=until.isoformat())


@sql.repeats_outdated
def _change(statement: str, values: Mapping[str, object]) -> sql.Rows:
    """Change the feed of one carrier and return the statement's rows: none if another transaction holds the feed."""
    try:
        with transaction.atomic():
            sql.limit_lock_waits(LOCK_WAIT)
            return sql.fetch_rows(statement, values)
    except OperationalError as problem:
        if not sql.has_timed_out(problem):
            raise
        log.warning("a carrier's feed is locked", carrier=values["carrier"], problem=str(problem).strip())
        return []
