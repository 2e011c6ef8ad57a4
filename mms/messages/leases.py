"""Leases: a worker claims due rows for a limited time, and the sweeper takes back those of workers that died.

A lease is `due_at` of a row in status sending; its end is also its token. Messages and discoveries use the same code.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from django.db import transaction

from base import bulk, sql
from mms.models import Attempt, Carrier, Discovery, Message, Status

# Longer than preparing a group of messages and the longest time-out of a carrier together.
LEASE = timedelta(minutes=2)
# A row that could not be prepared is due again after this time.
POSTPONED = timedelta(seconds=30)
# Workers that may die over preparing a message before it counts as undeliverable.
LOSSES_MAX = 3
# Rows that one claim takes at most.
ROOM = 128

Sent = TypeVar("Sent", Message, Discovery)

# In LOCK_ORDER (mms/models): whoever locks several rows waits for others in this order alone.
LOCK = "WHERE id = ANY(%s) ORDER BY number, id FOR NO KEY UPDATE"

# The carriers in random order, so that with little room the same ones do not always go first. Rows that are due at a
# disabled carrier wait until it is enabled, or expire (sweeper.fail_expired_at_disabled_carriers).
DUE = """
SELECT due.id, due.losses
FROM (SELECT id FROM mms_carrier WHERE enabled AND id <> ALL(%(busy)s) ORDER BY random()) carrier, LATERAL (
    SELECT id, losses FROM {table}
    WHERE carrier_id = carrier.id AND status = 'accepted' AND due_at <= %(now)s
    ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) due
LIMIT %(room)s
"""

HELD = "SELECT id, status, due_at, tries, expires_at FROM {table} " + LOCK  # noqa: S608 - made of constants

TAKE = "UPDATE {table} SET status = 'sending', due_at = %(lease)s WHERE id = ANY(%(keys)s)"


class LockedRow(NamedTuple):
    """The state of a locked row as the database has it."""

    status: str
    due_at: datetime | None
    tries: int
    expires_at: datetime


def claim(model: type[Sent], now: datetime, per_carrier: int, busy: Sequence[int] = (), room: int = ROOM) -> list[Sent]:
    """Claim up to `per_carrier` due rows of each carrier that is not `busy`, `room` in all, until the lease ends.

    A row that a worker was lost over is claimed alone. The caller holds the transaction.
    """
    table = model._meta.db_table
    values = {"now": now, "limit": per_carrier, "busy": list(busy), "room": room}
    due = sql.rows(DUE.format(table=table), values)
    if not due:
        return []
    keys = _claimable_together(due)
    sql.rows(TAKE.format(table=table), {"keys": keys, "lease": now + LEASE})
    claimed = sql.objects(model, "WHERE id = ANY(%s) ORDER BY id", [keys])
    sql.fetch(claimed, "carrier", "account")
    return claimed


def _claimable_together(due: Sequence[tuple[int, int]]) -> list[int]:
    """Return the due rows that may share a claim, or the first one alone if a worker was lost over it.

    So a row that kills its worker takes others with it once, and the loss by which it fails is its own.
    """
    first, losses = due[0]
    return [first] if losses else [key for key, lost in due if not lost]


def lock_expired_at_disabled_carriers(model: type[Sent], now: datetime, limit: int) -> list[Sent]:
    """Lock up to `limit` rows that expired while their carrier was disabled. The caller holds the transaction.

    The query reads all rows that wait at such carriers, so it should run rarely.
    """
    rows = model._default_manager.select_for_update(no_key=True, skip_locked=True, of=("self",))
    waiting = rows.filter(carrier__in=Carrier.objects.filter(enabled=False), status=Status.ACCEPTED)
    expired = waiting.filter(due_at__lte=now, expires_at__lte=now)
    return list(expired.select_related("carrier", "account").order_by("due_at")[:limit])


def renew(claimed: Sequence[Sent], now: datetime) -> None:
    """Renew the lease of rows claimed together once half of it has passed in preparing the ones before them."""
    lease = claimed[0].due_at
    if lease is None or lease - now > LEASE / 2:
        return
    held = type(claimed[0])._default_manager.filter(pk__in=[sent.pk for sent in claimed], status=Status.SENDING)
    held.filter(due_at=lease).update(due_at=now + LEASE)
    for sent in claimed:
        sent.due_at = now + LEASE


def lock(batch: Sequence[Sent]) -> dict[int, LockedRow]:
    """Lock the rows of the batch. Return their state by primary key."""
    rows = sql.rows(HELD.format(table=type(batch[0])._meta.db_table), [[sent.pk for sent in batch]])
    return {pk: LockedRow(*values) for pk, *values in rows}


def lock_held(batch: Sequence[Sent]) -> set[int]:
    """Lock the rows of the batch. Return the keys of those still under the lease with which they were claimed."""
    rows = lock(batch)
    same_lease = (sent for sent in batch if sent.pk in rows and rows[sent.pk].due_at == sent.due_at)
    return {sent.pk for sent in same_lease if rows[sent.pk].status == Status.SENDING}


def release_after_failure(sent: Sent, now: datetime) -> bool:
    """Release a row that could not be prepared: due again in a while, failed at the third time.

    Return whether it was still under its lease.
    """
    sent.losses += 1
    if sent.losses >= LOSSES_MAX:
        return _move_on(sent, Status.FAILED, None)
    return postpone(sent, now)


def postpone(sent: Sent, now: datetime) -> bool:
    """Release a row that cannot be prepared now: due again in a while. Return whether it was under its lease."""
    return _move_on(sent, Status.ACCEPTED, now + POSTPONED)


def _move_on(sent: Message | Discovery, status: Status, due_at: datetime | None) -> bool:
    held = type(sent)._default_manager.filter(pk=sent.pk, status=Status.SENDING, due_at=sent.due_at)
    sent.status, sent.due_at = status, due_at
    return bool(held.update(status=status, due_at=due_at, losses=sent.losses))


def release_unstarted(claimed: Sequence[Sent], now: datetime) -> None:
    """Release claimed rows that were not started, so that other workers find them at once."""
    if not claimed:
        return
    with transaction.atomic():
        held = lock_held(claimed)
        type(claimed[0])._default_manager.filter(pk__in=held).update(status=Status.ACCEPTED, due_at=now)


def reclaim_ended(model: type[Sent], now: datetime, limit: int) -> list[tuple[Sent, bool]]:
    """Reclaim rows whose lease ended, and return each with whether its request may have left.

    A row with an attempt that was never completed is in doubt. A row without one never left: it is due again.
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
    # An attempt that is locked is being completed right now, and that transaction waits for our rows.
    completing = set(open_attempts.exclude(pk__in=held).values_list(field, flat=True))
    rows, left = [sent for sent in rows if sent.pk not in completing], set(held.values())
    Attempt.objects.filter(pk__in=held).update(
        finished_at=now, outcome=Attempt.Outcome.IN_DOUBT, text="the worker died"
    )
    for sent in rows:
        _reclaim(sent, sent.pk in left, now)
    bulk.update(rows, "status", "due_at", "losses")
    return [(sent, sent.pk in left) for sent in rows]


def _reclaim(sent: Message | Discovery, left: bool, now: datetime) -> None:
    if left:
        sent.status, sent.due_at = Status.IN_DOUBT, sent.expires_at
        return
    sent.losses += 1
    if sent.losses < LOSSES_MAX:
        sent.status, sent.due_at = Status.ACCEPTED, now
    else:
        sent.status, sent.due_at = Status.FAILED, None
