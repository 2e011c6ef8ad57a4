"""Claiming: lease due messages and discoveries to a worker, and start the discovery that a message needs first.

A claimed message that must not be sent any more is refused here: it has expired, or its number has been blocked since
it was accepted.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime

import structlog
from django.db import OperationalError, transaction

from base import sql
from billing import blocklist
from mms.messages import discovery, feed, leases, transitions
from mms.messages.leases import Sent
from mms.models import Discovery, Message, Status
from mms.runtime.db_retry import DATABASE_GONE

log = structlog.get_logger()

EXPIRED = "it expired before it could be sent"
BLOCKED = "the recipient was put on a block list before it could be sent"
# Seconds for a row that another transaction holds, such as a balance, which the other messages of the claim wait for.
LOCK_WAIT = 0.25


def claim_messages(
    now: datetime,
    per_carrier: int,
    busy: Sequence[int] = (),
    room: int = leases.CLAIM_MAX,
    trusted: Sequence[int] | None = None,
    trial: int = leases.CLAIM_MAX,
) -> tuple[list[Message], int]:
    """Claim due messages (see leases.claim). Return those to send now, and the number of due ones.

    Messages that need a discovery start to wait for it; expired ones, and those to blocked numbers, fail.
    """
    claimed, due = _claim(Message, now, per_carrier, busy, room, trusted, trial)
    with _released_on_failure(claimed, now):
        refused = _refusals(claimed, now)
        _refuse([message for message in claimed if message.pk in refused], refused, now)
        live = [message for message in claimed if message.pk not in refused]
        waiting = _start_waiting(live, now)
        ready = [message for message in live if message.pk not in waiting]
        feed.give_back(set(claimed).difference(ready), now)
    return ready, due


def claim_discoveries(
    now: datetime,
    per_carrier: int,
    busy: Sequence[int] = (),
    room: int = leases.CLAIM_MAX,
    trusted: Sequence[int] | None = None,
    trial: int = leases.CLAIM_MAX,
) -> tuple[list[Discovery], int]:
    """Claim discoveries whose DDM is due (see leases.claim). Return those to send now, and the number of due ones.

    One that no message waits for any more fails unsent, as does one to a number that is blocked for all that wait.
    """
    claimed, due = _claim(Discovery, now, per_carrier, busy, room, trusted, trial)
    with _released_on_failure(claimed, now):
        refused = _refusals(claimed, now)
        ended = [found for found in claimed if found.pk in refused and _end_unwanted(found, now)]
        feed.give_back(ended, now)
    return [found for found in claimed if found not in ended], due


@sql.repeats_outdated
def _claim(
    model: type[Sent],
    now: datetime,
    per_carrier: int,
    busy: Sequence[int],
    room: int,
    trusted: Sequence[int] | None,
    trial: int,
) -> tuple[list[Sent], int]:
    with transaction.atomic():
        return leases.claim(model, now, per_carrier, busy, room, trusted, trial)


@contextmanager
def _released_on_failure(claimed: Sequence[Sent], now: datetime) -> Iterator[None]:
    """Release the claimed rows if the database fails: they must not count a loss.

    After another failure the leases end, and a row that caused it fails alone at its third loss.
    """
    try:
        yield
    except DATABASE_GONE:
        with suppress(*DATABASE_GONE):  # then the leases end
            leases.release_unstarted(claimed, now)
        raise


@contextmanager
def _postponed_if_held(claimed: Sequence[Sent], now: datetime) -> Iterator[None]:
    """Postpone the claimed rows if the block waits too long for a row that another transaction holds."""
    try:
        yield
    except OperationalError as problem:
        if not sql.has_timed_out(problem):
            raise
        log.warning("claimed rows wait for a lock", account=claimed[0].account_id, rows=len(claimed))
        for sent in claimed:
            leases.postpone(sent, now)


def _start_waiting(messages: Sequence[Message], now: datetime) -> set[int]:
    """Start the wait of those messages that need a discovery; postpone those whose discovery is held. Return both."""
    possible = [message for message in messages if discovery.needed(message, known=False)]
    try:
        return _start_waits(possible, now)
    except OperationalError as problem:
        if not sql.has_timed_out(problem):
            raise
    by_number: dict[str, list[Message]] = defaultdict(list)
    for message in possible:
        by_number[message.number].append(message)
    return set().union(*(_start_waits_or_postpone(group, now) for group in by_number.values()))


def _start_waits_or_postpone(messages: Sequence[Message], now: datetime) -> set[int]:
    waiting = {message.pk for message in messages}
    with _postponed_if_held(messages, now):
        waiting &= _start_waits(messages, now)
    return waiting


@sql.repeats_outdated
def _start_waits(messages: Sequence[Message], now: datetime) -> set[int]:
    if not messages:
        return set()
    # In a transaction of its own, without locks on the messages: a discovery is always locked before its messages.
    with transaction.atomic():
        sql.limit_lock_waits(LOCK_WAIT)
        return discovery.start_waiting(messages, now)


def _refusals(claimed: Sequence[Message] | Sequence[Discovery], now: datetime) -> dict[int, str]:
    """Return why some of the rows must not be sent, by primary key."""
    blocked = blocklist.blocked_pairs({(sent.account_id, sent.number) for sent in claimed})()
    reasons = {sent.pk: BLOCKED for sent in claimed if (sent.account_id, sent.number) in blocked}
    return reasons | {sent.pk: EXPIRED for sent in claimed if sent.expires_at <= now}


def _refuse(messages: Sequence[Message], reasons: Mapping[int, str], now: datetime) -> None:
    """Fail the messages of each account in a transaction, or later if another transaction holds its balance."""
    by_account: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        by_account[message.account_id].append(message)
    for refused in by_account.values():
        with _postponed_if_held(refused, now):
            _fail(refused, reasons, now)


@sql.repeats_outdated
def _fail(messages: Sequence[Message], reasons: Mapping[int, str], now: datetime) -> None:
    with transaction.atomic():
        sql.limit_lock_waits(LOCK_WAIT)
        held = leases.lock_held(messages)
        for reason in {reasons[message.pk] for message in messages}:
            transitions.fail([m for m in messages if m.pk in held and reasons[m.pk] == reason], reason, now)


def _end_unwanted(found: Discovery, now: datetime) -> bool:
    """Fail a discovery that is to be refused, or postpone it if it is held. Return False if it is wanted after all."""
    ended = True
    with _postponed_if_held([found], now):
        ended &= _fail_unwanted(found, now)
    return ended


@sql.repeats_outdated
def _fail_unwanted(found: Discovery, now: datetime) -> bool:
    """Fail the discovery, unless it was extended since, or a message of another account may still be sent."""
    with transaction.atomic():
        sql.limit_lock_waits(LOCK_WAIT)
        if not leases.lock_held([found]):
            return True
        found.refresh_from_db(fields=["expires_at"])
        reason = _refusals([found], now).get(found.pk)
        if reason is None or (reason == BLOCKED and discovery.hand_over(found)):
            return False
        Discovery.objects.filter(pk=found.pk).update(status=Status.FAILED, due_at=None)
        if reason == BLOCKED:
            discovery.record_ddm_failed(found, reason, now)
    return True
