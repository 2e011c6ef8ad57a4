"""Leases: a worker's time-limited claim on due rows, and the recovery of rows whose worker died.

A row in status sending is leased until its `due_at`, which also serves as the fencing token: an update of a claimed row
has `due_at` in its condition. Messages and discoveries share this code.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from base import bulk, sql
from mms.messages import feed
from mms.messages.feed import DueRow
from mms.models import Attempt, Carrier, Discovery, Message, Status
from mms.models.carrier_feed import Grant

# Longer than the preparation of a group of messages plus the longest time limit of a carrier.
LEASE = timedelta(minutes=2)
# Time until a row that could not be prepared is due again.
POSTPONEMENT = timedelta(seconds=30)
# A message fails once so many workers have died while preparing it, or so many preparations have failed.
LOSSES_MAX = 3
CLAIM_MAX = 128  # rows per claim

Sent = TypeVar("Sent", Message, Discovery)

# In LOCK_ORDER (mms/models), as every transaction that locks several rows, to avoid deadlocks.
LOCK = "WHERE id = ANY(%s) ORDER BY number, id FOR NO KEY UPDATE"

# The first due rows of a carrier that needs grants. Among these, a claim looks for expired ones and for the probe.
HEAD = """ARRAY(
    SELECT id FROM {table} WHERE carrier_id = carrier.id AND status = 'accepted' AND due_at <= %(now)s
    ORDER BY due_at LIMIT 100
)"""

# Rows of a disabled carrier stay until it is enabled or they expire (sweeper.fail_expired_at_disabled_carriers). Of a
# carrier that needs grants, expired rows are claimed without one, to fail: otherwise they would take its throughput
# from the rows behind them, and at twice the throughput nothing would be sent in time. The probe is any of the
# first rows: on the content of one customer the MMSC may break the connection each time.
DUE = f"""
SELECT due.id, due.losses, carrier.id, carrier.probed AND NOT due.expired, carrier.limited AND NOT due.expired,
    carrier.held AND NOT due.expired
FROM ({feed.CARRIERS}) carrier, LATERAL (
    SELECT * FROM (
        SELECT id, losses, FALSE AS expired FROM {{table}}
        WHERE carrier_id = carrier.id AND status = 'accepted' AND due_at <= %(now)s
            AND NOT carrier.probed AND (expires_at > %(now)s OR NOT carrier.limited)
        ORDER BY due_at LIMIT carrier.room FOR UPDATE SKIP LOCKED
    ) live
    UNION ALL
    SELECT * FROM (
        SELECT id, losses, FALSE FROM {{table}}
        WHERE carrier.probed AND expires_at > %(now)s AND status = 'accepted' AND id = ANY({HEAD})
        ORDER BY random() LIMIT carrier.room FOR UPDATE SKIP LOCKED
    ) probe
    UNION ALL
    SELECT * FROM (
        SELECT id, losses, TRUE FROM {{table}}
        WHERE (carrier.probed OR carrier.limited) AND expires_at <= %(now)s AND status = 'accepted' AND id = ANY({HEAD})
        FOR UPDATE SKIP LOCKED
    ) expired
) due
LIMIT %(room)s
"""  # noqa: S608 - made of constants

LOCK_AND_READ = "SELECT id, status, due_at, tries, refusals, expires_at FROM {table} " + LOCK  # noqa: S608 - made of constants

CLAIM = "UPDATE {table} SET status = 'sending', due_at = %(lease)s WHERE id = ANY(%(keys)s)"


def report_deadline(sent: Message | Discovery) -> datetime:
    """Return when the wait for a delivery report ends.

    For a message that is a while (REPORT_GRACE) after its expiry: the MMSC tries until then, and reports afterwards. A
    discovery has no such time, since nobody waits for it after its deadline, and a later message needs a new one.
    """
    return sent.expires_at + (settings.REPORT_GRACE if isinstance(sent, Message) else timedelta())


class LockedRow(NamedTuple):
    """The current state of a locked row."""

    status: str
    due_at: datetime | None
    tries: int
    refusals: int
    expires_at: datetime


def claim(
    model: type[Sent],
    now: datetime,
    per_carrier: int,
    busy: Sequence[int] = (),
    room: int = CLAIM_MAX,
    trusted: Sequence[int] | None = None,
    trial: int = CLAIM_MAX,
) -> tuple[list[Sent], int]:
    """Claim up to `per_carrier` due rows of each carrier that is not `busy`, `room` in all, under one lease.

    Of a carrier that is not `trusted` (None: all are) at most `trial` are claimed, and of one that is paused or has a
    throughput as many as its feed grants. A row whose preparation has failed before is claimed alone. Return the
    claimed rows, and the number of due ones that were found. The caller holds the transaction.
    """
    values = {"now": now, "limit": per_carrier, "busy": list(busy), "room": room, "trusted": trusted, "trial": trial}
    due = [feed.DueRow(*row) for row in sql.fetch_rows(DUE.format(table=model._meta.db_table), values)]
    rows = feed.grant(_claimable_at_once([row for row in due if not row.held]), now)
    return (_claim(model, rows, now) if rows else []), len(due)


def _claimable_at_once(due: Sequence[DueRow]) -> Sequence[DueRow]:
    """Return the due rows that may share a claim, or the first one alone if its preparation has failed before.

    So a row that kills its worker costs the other rows of its claim one loss at most.
    """
    return due[:1] if due and due[0].losses else [row for row in due if not row.losses]


def _claim(model: type[Sent], rows: Mapping[DueRow, Grant | None], now: datetime) -> list[Sent]:
    grants = {row.key: given for row, given in rows.items()}
    keys = list(grants)
    sql.fetch_rows(CLAIM.format(table=model._meta.db_table), {"keys": keys, "lease": now + LEASE})
    claimed = sql.fetch_objects(model, "WHERE id = ANY(%s) ORDER BY id", [keys])
    sql.load_related(claimed, "carrier", "account")
    for sent in claimed:
        sent.grant = grants[sent.pk]
    return claimed


def lock_expired_at_disabled_carriers(
    model: type[Sent], now: datetime, limit: int, without: Collection[int] = ()
) -> list[Sent]:
    """Lock up to `limit` rows, `without` those of some accounts, that expired while their carrier was unavailable.

    The query reads every accepted row of these carriers, so run it rarely. The caller holds the transaction.
    """
    rows = model._default_manager.select_for_update(no_key=True, skip_locked=True, of=("self",))
    unavailable = Carrier.objects.filter(Q(enabled=False) | Q(feed__paused_until__isnull=False))
    waiting = rows.filter(carrier__in=unavailable, status=Status.ACCEPTED).exclude(account__in=without)
    expired = waiting.filter(due_at__lte=now, expires_at__lte=now)
    return list(expired.select_related("carrier", "account").order_by("due_at")[:limit])


def renew(claimed: Sequence[Sent], now: datetime) -> None:
    """Renew the lease of rows of one claim that still wait to be prepared, once half of it has passed."""
    lease = claimed[0].due_at
    if lease is None or lease - now > LEASE / 2:
        return
    held = type(claimed[0])._default_manager.filter(pk__in=[sent.pk for sent in claimed], status=Status.SENDING)
    held.filter(due_at=lease).update(due_at=now + LEASE)
    for sent in claimed:
        sent.due_at = now + LEASE


def lock(batch: Sequence[Sent]) -> dict[int, LockedRow]:
    """Lock the rows of the batch. Return their current state by primary key."""
    rows = sql.fetch_rows(LOCK_AND_READ.format(table=type(batch[0])._meta.db_table), [[sent.pk for sent in batch]])
    return {pk: LockedRow(*values) for pk, *values in rows}


def lock_held(batch: Sequence[Sent]) -> set[int]:
    """Lock the rows of the batch. Return the keys of those still under the lease with which they were claimed."""
    rows = lock(batch)
    same_lease = (sent for sent in batch if sent.pk in rows and rows[sent.pk].due_at == sent.due_at)
    return {sent.pk for sent in same_lease if rows[sent.pk].status == Status.SENDING}


def release_after_failure(sent: Sent, now: datetime) -> bool:
    """Release a row that could not be prepared. It is due again later, or fails at the third time.

    Return whether it was still under its lease.
    """
    sent.losses += 1
    if sent.losses >= LOSSES_MAX:
        return _release(sent, Status.FAILED, None)
    return postpone(sent, now)


def postpone(sent: Sent, now: datetime) -> bool:
    """Release a row that cannot be prepared now. It is due again later. Return whether it was still under its lease."""
    return _release(sent, Status.ACCEPTED, now + POSTPONEMENT)


def _release(sent: Message | Discovery, status: Status, due_at: datetime | None) -> bool:
    held = type(sent)._default_manager.filter(pk=sent.pk, status=Status.SENDING, due_at=sent.due_at)
    sent.status, sent.due_at = status, due_at
    return bool(held.update(status=status, due_at=due_at, losses=sent.losses))


@sql.repeats_outdated
def release_unstarted(claimed: Sequence[Sent], now: datetime) -> None:
    """Release claimed rows that were not started, so that other workers can claim them at once."""
    if not claimed:
        return
    with transaction.atomic():
        held = lock_held(claimed)
        type(claimed[0])._default_manager.filter(pk__in=held).update(status=Status.ACCEPTED, due_at=now)


def reclaim_ended(model: type[Sent], now: datetime, limit: int) -> list[tuple[Sent, bool]]:
    """Reclaim rows whose lease ended. Return each, and whether its request may have left.

    A row with an uncompleted attempt is in doubt. A row without one was never sent: it is due again.
    The caller holds the transaction.
    """
    rows = list(
        model._default_manager.select_for_update(no_key=True, skip_locked=True, of=("self",))
        .filter(status=Status.SENDING, due_at__lte=now)
        .select_related("carrier", "account")
        .order_by("due_at")[:limit]
    )
    field = str(model._meta.model_name)
    open_attempts = Attempt.objects.filter(finished_at=None, **{f"{field}__in": rows})
    held = dict(open_attempts.select_for_update(no_key=True, skip_locked=True).values_list("pk", field))
    # A locked attempt is being completed by a transaction that waits for the row we hold.
    completing = set(open_attempts.exclude(pk__in=held).values_list(field, flat=True))
    rows, left = [sent for sent in rows if sent.pk not in completing], set(held.values())
    Attempt.objects.filter(pk__in=held).update(
        finished_at=now, outcome=Attempt.Outcome.IN_DOUBT, text="the worker died"
    )
    restarted_at = _database_started_at() if rows else now
    for sent in rows:
        lost_database = sent.due_at is not None and sent.due_at - LEASE < restarted_at
        _reclaim(sent, sent.pk in left, not lost_database, now)
    bulk.update(rows, "status", "due_at", "losses")
    return [(sent, sent.pk in left) for sent in rows]


def _database_started_at() -> datetime:
    """Return when the database started: a worker that lost it could not go on with rows claimed before."""
    ((started_at,),) = sql.fetch_rows("SELECT pg_postmaster_start_time()", [])
    return started_at  # type: ignore[no-any-return]


def _reclaim(sent: Message | Discovery, left: bool, worker_died: bool, now: datetime) -> None:
    if left:
        sent.status, sent.due_at = Status.IN_DOUBT, report_deadline(sent)
        return
    sent.losses += worker_died
    if sent.losses < LOSSES_MAX:
        sent.status, sent.due_at = Status.ACCEPTED, now
    else:
        sent.status, sent.due_at = Status.FAILED, None
