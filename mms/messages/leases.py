"""Submitting to an MMSC: what is due is claimed under a lease, an attempt is written before each call, completed after.

Messages and DDMs go through the same steps here; what follows from them is told in flow.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from django.db import transaction

from base import bulk, sql
from mms.models import Attempt, Carrier, Discovery, Message, Status
from mms.protocol.submit import Outcome, SubmitResult

# Longer than preparing a group of messages and the longest time-out of a carrier together.
LEASE = timedelta(minutes=2)
# After each transient failure in turn; then the message has failed.
RETRY_LADDER = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=2),
)
# For codes that allow few retries (MM7 status 4000).
LIMITED_LADDER = RETRY_LADDER[:2]
# Workers that may die over preparing a message before it counts as undeliverable.
LOSSES_MAX = 3

Sent = TypeVar("Sent", Message, Discovery)

# Whoever locks several rows and waits for some does so in this order, as discovery.wait must: so no two workers
# wait for each other.
LOCKED = ("number", "pk")
LOCK = "WHERE id = ANY(%s) ORDER BY number, id FOR NO KEY UPDATE"

# Rows that one claim takes at most.
ROOM = 128

# The carriers in random order, so that where there is little room, it is not always the same that go first. What is
# due at one that is switched off waits until it is switched on, or expires (overdue.end_held).
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


@dataclass(frozen=True, slots=True)
class Landing(Generic[Sent]):
    """A submit that has ended: who was sent, its attempt, and what the MMSC said."""

    sent: Sent
    attempt: Attempt
    answer: SubmitResult


class _Row(NamedTuple):
    """What the database says of something that is being sent."""

    status: str
    due_at: datetime | None
    tries: int
    expires_at: datetime


def claim(model: type[Sent], now: datetime, per_carrier: int, busy: Sequence[int] = (), room: int = ROOM) -> list[Sent]:
    """Takes up to `per_carrier` due rows of each carrier that is not `busy`, `room` in all, until the lease ends.

    A row over which a worker was lost is taken alone.
    """
    table = model._meta.db_table
    values = {"now": now, "limit": per_carrier, "busy": list(busy), "room": room}
    due = sql.rows(DUE.format(table=table), values)
    if not due:
        return []
    keys = _together(due)
    sql.rows(TAKE.format(table=table), {"keys": keys, "lease": now + LEASE})
    claimed = sql.objects(model, "WHERE id = ANY(%s) ORDER BY id", [keys])
    sql.fetch(claimed, "carrier", "account")
    return claimed


def _together(due: Sequence[tuple[int, int]]) -> list[int]:
    """Of what is due, with its losses, the rows that may share a claim; or the first alone, if it was lost before.

    So what kills its worker takes the others along once, and the loss by which it fails is its own.
    """
    first, losses = due[0]
    return [first] if losses else [key for key, lost in due if not lost]


def held(model: type[Sent], now: datetime, limit: int) -> list[Sent]:
    """Takes up to `limit` rows that expired while their carrier was switched off. The caller holds the transaction.

    It looks at all that such a carrier holds: ask seldom.
    """
    rows = model._default_manager.select_for_update(no_key=True, skip_locked=True, of=("self",))
    waiting = rows.filter(carrier__in=Carrier.objects.filter(enabled=False), status=Status.ACCEPTED)
    expired = waiting.filter(due_at__lte=now, expires_at__lte=now)
    return list(expired.select_related("carrier", "account").order_by("due_at")[:limit])


def renew(claimed: Sequence[Sent], now: datetime) -> None:
    """Prolongs the lease of rows claimed together, once much of it has passed: preparing others took that long."""
    lease = claimed[0].due_at
    if lease is None or lease - now > LEASE / 2:
        return
    held = type(claimed[0])._default_manager.filter(pk__in=[sent.pk for sent in claimed], status=Status.SENDING)
    held.filter(due_at=lease).update(due_at=now + LEASE)
    for sent in claimed:
        sent.due_at = now + LEASE


def start(ready: Sequence[tuple[Sent, int]], now: datetime, *noted: str) -> list[tuple[Sent, Attempt]]:
    """Writes an attempt (with the size of its request in bytes) for each that is still ours, and renews its lease.

    With it go these `noted` fields. What another worker has taken meanwhile is left out: it must not be sent here.
    """
    if not ready:
        return []
    with transaction.atomic():
        held = _held([sent for sent, _ in ready])
        mine = [(sent, size) for sent, size in ready if sent.pk in held]
        for sent, _ in mine:
            sent.due_at, sent.tries = now + LEASE, sent.tries + 1
        bulk.update([sent for sent, _ in mine], "due_at", "tries", *noted)
        attempts = bulk.insert([_attempt(sent, size, now) for sent, size in mine])
    return [(sent, attempt) for (sent, _), attempt in zip(mine, attempts, strict=True)]


def _held(batch: Sequence[Sent]) -> set[int]:
    """Locks those of the batch that are still under the lease with which they were claimed."""
    rows = _locked(batch)
    ours = (sent for sent in batch if sent.pk in rows and rows[sent.pk].due_at == sent.due_at)
    return {sent.pk for sent in ours if rows[sent.pk].status == Status.SENDING}


def _locked(batch: Sequence[Sent]) -> dict[int, _Row]:
    rows = sql.rows(HELD.format(table=type(batch[0])._meta.db_table), [[sent.pk for sent in batch]])
    return {pk: _Row(*values) for pk, *values in rows}


def _attempt(sent: Message | Discovery, size: int, now: datetime) -> Attempt:
    attempt = Attempt(carrier=sent.carrier, try_number=sent.tries, started_at=now, size=size)
    if isinstance(sent, Message):
        attempt.message = sent
    else:
        attempt.discovery = sent
    return attempt


def settle(landings: Sequence[Landing[Sent]], now: datetime) -> list[Landing[Sent]]:
    """Completes the attempts and moves what was sent to its next status; returns those that moved.

    An answer that comes after the lease ended still counts: its message stands in doubt, and now there is none.
    The caller holds the transaction.
    """
    attempts = [_completed(landing, now) for landing in landings]
    bulk.update(attempts, "finished_at", "outcome", "code", "text", "mmsc_id")
    moved = _movable(landings)
    for landing in moved:
        _move(landing, now)
    _write_moved([landing.sent for landing in moved])
    return moved


def _write_moved(moved: Sequence[Message | Discovery]) -> None:
    moments = ("submitted_at", "final_at") if any(isinstance(sent, Message) for sent in moved) else ()
    bulk.update(moved, "status", "due_at", *moments)


def _completed(landing: Landing[Sent], now: datetime) -> Attempt:
    attempt, answer = landing.attempt, landing.answer
    attempt.finished_at = now
    attempt.outcome = Attempt.Outcome(answer.outcome)
    attempt.code = answer.code
    attempt.text = answer.text
    attempt.mmsc_id = answer.message_id or ""
    return attempt


def _movable(landings: Sequence[Landing[Sent]]) -> list[Landing[Sent]]:
    """Locks the rows, and returns the landings that they wait for."""
    rows = _locked([landing.sent for landing in landings])
    movable = [landing for landing in landings if _awaits(rows.get(landing.sent.pk), landing.attempt)]
    for landing in movable:  # a message that joined the discovery meanwhile may have prolonged it
        landing.sent.expires_at = rows[landing.sent.pk].expires_at
    return movable


def _awaits(row: _Row | None, attempt: Attempt) -> bool:
    """Whether the answer to this attempt moves the row: not if there was another attempt since.

    Not from what was sent: a step that is repeated, after the database restarted, has moved that already.
    """
    if row is None or row.tries != attempt.try_number:
        return False
    return row.status == Status.IN_DOUBT or (row.status == Status.SENDING and row.due_at == attempt.started_at + LEASE)


def _move(landing: Landing[Sent], now: datetime) -> None:
    sent, outcome = landing.sent, landing.answer.outcome
    retry = _retry_at(outcome, sent, now)
    if outcome == Outcome.SUBMITTED:
        sent.status, sent.due_at = Status.SUBMITTED, sent.expires_at
    elif outcome == Outcome.IN_DOUBT:
        sent.status, sent.due_at = Status.IN_DOUBT, sent.expires_at
    elif retry:
        sent.status, sent.due_at = Status.ACCEPTED, retry
    else:
        sent.status, sent.due_at = Status.FAILED, None
    if isinstance(sent, Message):
        sent.submitted_at = now if sent.status == Status.SUBMITTED else sent.submitted_at
        sent.final_at = now if sent.status == Status.FAILED else None


def _retry_at(outcome: Outcome, sent: Message | Discovery, now: datetime) -> datetime | None:
    """When to try again, or None where there is no further try before it expires."""
    ladder = {Outcome.TRANSIENT: RETRY_LADDER, Outcome.LIMITED: LIMITED_LADDER}.get(outcome, ())
    if sent.tries > len(ladder):
        return None
    retry = now + ladder[sent.tries - 1]
    return retry if retry < sent.expires_at else None


def release(sent: Sent, now: datetime) -> bool:
    """Gives back what could not be prepared, to be tried again in a while; at the third time it has failed.

    Returns whether it was still ours.
    """
    sent.losses += 1
    if sent.losses >= LOSSES_MAX:
        return _move_on(sent, Status.FAILED, None)
    return put_off(sent, now)


def put_off(sent: Sent, now: datetime) -> bool:
    """Gives back what cannot be prepared now, to be tried again in a while. Returns whether it was still ours."""
    return _move_on(sent, Status.ACCEPTED, now + RETRY_LADDER[0])


def _move_on(sent: Message | Discovery, status: Status, due_at: datetime | None) -> bool:
    held = type(sent)._default_manager.filter(pk=sent.pk, status=Status.SENDING, due_at=sent.due_at)
    sent.status, sent.due_at = status, due_at
    return bool(held.update(status=status, due_at=due_at, losses=sent.losses))


def give_back(unbegun: Sequence[Sent], now: datetime) -> None:
    """Leaves to other workers, at once, what was claimed and not begun."""
    if not unbegun:
        return
    with transaction.atomic():
        held = _held(unbegun)
        type(unbegun[0])._default_manager.filter(pk__in=held).update(status=Status.ACCEPTED, due_at=now)


def leases_over(model: type[Sent], now: datetime, limit: int) -> list[tuple[Sent, bool]]:
    """Takes back what dead workers held, and says of each whether its request may have left.

    One with an attempt that was never completed is in doubt. One without never left: it is due again.
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
    # Whose answer is being stored right now has its attempt locked, and is waiting for us.
    answered = set(open_attempts.exclude(pk__in=held).values_list(field, flat=True))
    rows, left = [sent for sent in rows if sent.pk not in answered], set(held.values())
    Attempt.objects.filter(pk__in=held).update(
        finished_at=now, outcome=Attempt.Outcome.IN_DOUBT, text="the worker died"
    )
    for sent in rows:
        _take_back(sent, sent.pk in left, now)
    bulk.update(rows, "status", "due_at", "losses")
    return [(sent, sent.pk in left) for sent in rows]


def _take_back(sent: Message | Discovery, left: bool, now: datetime) -> None:
    if left:
        sent.status, sent.due_at = Status.IN_DOUBT, sent.expires_at
        return
    sent.losses += 1
    if sent.losses < LOSSES_MAX:
        sent.status, sent.due_at = Status.ACCEPTED, now
    else:
        sent.status, sent.due_at = Status.FAILED, None
