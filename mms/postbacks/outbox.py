"""The outbox: which postbacks are due, what an attempt to hand one over means for it, and sending one again.

For one message, a later postback waits until the earlier one is taken or given up. Accounts do not wait for each
other: each has its own few at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from base import bulk, sql
from billing.models import Account
from mms.messages.leases import LOCKED
from mms.models import Message, Postback, PostbackAttempt
from mms.postbacks import dialects, notices
from mms.runtime.http_client import NoReply, Reply

# Anything but HTTP 200 within 10 seconds is tried again 5 minutes later, at most 5 times.
TIMEOUT = 10.0  # seconds
RETRY_LADDER = (timedelta(minutes=5),) * 5
LEASE = timedelta(seconds=30)
ANSWER_KEPT = 2048  # bytes
ROOM = 256  # postbacks claimed at once
BATCH = 1000  # postbacks sent again in one transaction

DUE = """
SELECT due.id FROM billing_account, LATERAL (
    SELECT id, due_at FROM mms_postback
    WHERE account_id = billing_account.id AND due_at <= %(now)s
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) due
WHERE billing_account.id <> ALL(%(busy)s)
ORDER BY due.due_at, due.id LIMIT %(room)s
"""

# Puts off those that wait for an earlier postback of their message. In a statement of its own, after the rows are
# locked: an earlier one that ends unseen by it wakes its followers after it has ended, in a transaction of its own
# (settle); that finds our rows and waits for our locks, so what is put off here is never forgotten. What has ended has
# no due_at, and min() passes over it: were that a condition, PostgreSQL could begin with all that is due, a million.
PUT_OFF = """
UPDATE mms_postback SET due_at = GREATEST(blocked.until, %(soonest)s)
FROM (
    SELECT later.id, (
        SELECT min(earlier.due_at) FROM mms_postback earlier
        WHERE earlier.message_id = later.message_id AND earlier.id < later.id
    ) AS until
    FROM mms_postback later WHERE later.id = ANY(%(keys)s) OFFSET 0
) blocked
WHERE mms_postback.id = blocked.id AND blocked.until IS NOT NULL
RETURNING mms_postback.id
"""

LOCK = "SELECT FROM mms_postback WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"

END = """
UPDATE mms_postback SET status = %(status)s, due_at = NULL, ended_at = %(now)s
WHERE id = ANY(%(keys)s) AND status = 'pending' RETURNING id
"""

WAKE = """
UPDATE mms_postback SET due_at = %(now)s
WHERE message_id = ANY(%(messages)s) AND status = 'pending' AND tries = earlier_tries
"""

# Takes them, and says of each which of its message's postbacks it is, from 1.
TAKE = """
UPDATE mms_postback SET due_at = %(lease)s, tries = tries + 1 WHERE id = ANY(%(keys)s)
RETURNING id, (
    SELECT count(*) FROM mms_postback earlier
    WHERE earlier.message_id = mms_postback.message_id AND earlier.id <= mms_postback.id
)
"""


@dataclass(frozen=True, eq=False, slots=True)
class Parcel:
    """A postback with the attempt that is about to be made, and its place among its message's postbacks."""

    postback: Postback
    attempt: PostbackAttempt
    sequence: int
    lease: datetime


def claim(now: datetime, per_account: int, busy: Sequence[int] = (), room: int = ROOM) -> list[Parcel]:
    """Takes up to `per_account` due postbacks of each account that is not `busy`, `room` in all; writes their attempts.

    Returns none only if none is ready: those that wait for an earlier one are put off until the next are seen.
    """
    while True:
        with transaction.atomic():
            keys = _locked(now, per_account, busy, room)
            if not keys:
                return []
            if ready := keys - _put_off(keys, now):
                return _parcels(ready, now)


def _locked(now: datetime, per_account: int, busy: Sequence[int], room: int) -> set[int]:
    values = {"now": now, "limit": per_account, "busy": list(busy), "room": room}
    return {key for (key,) in sql.rows(DUE, values)}


def _put_off(keys: set[int], now: datetime) -> set[int]:
    """Puts off those that wait for an earlier postback of their message; returns their keys."""
    values = {"keys": list(keys), "soonest": now + timedelta(milliseconds=1)}
    return {key for (key,) in sql.rows(PUT_OFF, values)}


def _parcels(keys: set[int], now: datetime) -> list[Parcel]:
    lease = now + LEASE
    numbers: dict[int, int] = dict(sql.rows(TAKE, {"keys": list(keys), "lease": lease}))
    postbacks = sql.objects(Postback, "WHERE id = ANY(%s) ORDER BY id", [list(keys)])
    sql.fetch(postbacks, "account")
    attempts = bulk.insert(
        [PostbackAttempt(postback=postback, url=postback.address, started_at=now) for postback in postbacks]
    )
    return [
        Parcel(postback, attempt, numbers[postback.pk] or 1, lease)
        for postback, attempt in zip(postbacks, attempts, strict=True)
    ]


def settle(landed: Sequence[tuple[Parcel, Reply | NoReply]], now: datetime) -> None:
    """Completes the attempts: taken, to be tried again later, or given up. Then the followers of the ended are due."""
    taken, retried, given_up = _sorted_out(landed)
    with transaction.atomic():
        bulk.update([_completed(*pair) for pair in landed], "duration_ms", "http_status", "answer", "error")
        _lock([parcel for parcel, _ in landed])
        _end(taken, Postback.Status.TAKEN, now)
        for parcel in retried:
            _retry(parcel, now + RETRY_LADDER[parcel.postback.round_tries - 1])
        _tell_of(_end(given_up, Postback.Status.GIVEN_UP, now), now)
    _wake_followers([parcel.postback for parcel, _ in landed], now)


def _sorted_out(landed: Sequence[tuple[Parcel, Reply | NoReply]]) -> tuple[list[Parcel], list[Parcel], list[Parcel]]:
    """Those that were taken, those that are tried again, and those that are given up."""
    taken = [parcel for parcel, result in landed if _took(result)]
    failed = [parcel for parcel, result in landed if not _took(result)]
    retried = [parcel for parcel in failed if parcel.postback.round_tries <= len(RETRY_LADDER)]
    given_up = [parcel for parcel in failed if parcel.postback.round_tries > len(RETRY_LADDER)]
    return taken, retried, given_up


def _took(result: Reply | NoReply) -> bool:
    return isinstance(result, Reply) and result.status == 200


def _completed(parcel: Parcel, result: Reply | NoReply) -> PostbackAttempt:
    attempt = parcel.attempt
    attempt.duration_ms = round(result.seconds * 1000)
    if isinstance(result, Reply):
        attempt.http_status = result.status
        attempt.answer = result.body[:ANSWER_KEPT].decode("utf-8", "replace").replace("\x00", "\ufffd")
    else:
        attempt.error = result.reason
    return attempt


def _lock(parcels: Sequence[Parcel]) -> None:
    """In one order for all, so that no two workers wait for each other."""
    sql.rows(LOCK, [[parcel.postback.pk for parcel in parcels]])


def _end(parcels: Sequence[Parcel], status: Postback.Status, now: datetime) -> list[Postback]:
    """These are done with, even if another worker has taken them over. Returns those that were not before."""
    if not parcels:
        return []
    by_key = {parcel.postback.pk: parcel.postback for parcel in parcels}
    ended = sql.rows(END, {"keys": list(by_key), "status": status.value, "now": now})
    return [by_key[key] for key in sorted(key for (key,) in ended)]


def _tell_of(given_up: Sequence[Postback], now: datetime) -> None:
    """An E999 for each of them, last in line among its message's postbacks. An E999 is followed by none."""
    told_of = [postback for postback in given_up if postback.code != notices.GIVEN_UP and postback.address]
    if not told_of:
        return
    messages = Message.objects.filter(pk__in=[postback.message_id for postback in told_of])
    # Holding the rows keeps the primary keys of one message's postbacks in the order of what they tell.
    list(messages.select_for_update(no_key=True).order_by(*LOCKED).values_list("pk"))
    Postback.objects.bulk_create(_after(postback, now) for postback in told_of)


def _after(given_up: Postback, now: datetime) -> Postback:
    code = dialects.DIALECTS[given_up.dialect].code(given_up.fields)
    return Postback(
        account=given_up.account,
        message_id=given_up.message_id,
        code=notices.GIVEN_UP,
        fields=notices.given_up(given_up.fields, code, given_up.round_tries, now),
        dialect=given_up.account.postback_dialect,
        due_at=now,
        created_at=now,
    )


def _wake_followers(postbacks: Sequence[Postback], now: datetime) -> None:
    """Makes due what was not tried yet of these messages; what is still blocked is put off again when it is claimed.

    Whatever its due_at says: another worker may be putting it off right now, and then we must wait for its lock.
    """
    messages = {postback.message_id for postback in postbacks if postback.message_id is not None}
    sql.rows(WAKE, {"messages": list(messages), "now": now})


def _retry(parcel: Parcel, at: datetime) -> None:
    Postback.objects.filter(pk=parcel.postback.pk, due_at=parcel.lease).update(due_at=at)


# --- sending again ------------------------------------------------------------------------------------------------


def over(postbacks: QuerySet[Postback]) -> QuerySet[Postback]:
    """Those of them that are taken or given up."""
    return postbacks.exclude(status=Postback.Status.PENDING)


def of_message(message: Message) -> QuerySet[Postback]:
    """What tells the story of a message."""
    return Postback.objects.filter(message=message).exclude(code=notices.GIVEN_UP)


def failed(account: Account, since: datetime, until: datetime | None = None) -> QuerySet[Postback]:
    """What was given up from `since` on, up to and without `until`."""
    found = Postback.objects.filter(account=account, status=Postback.Status.GIVEN_UP, ended_at__gte=since)
    # An E999 only says what is sent again here.
    found = found.exclude(code=notices.GIVEN_UP)
    return found.filter(ended_at__lt=until) if until else found


def replay(postbacks: QuerySet[Postback], now: datetime) -> int:
    """Makes those of them that are over due again, with a whole ladder of tries before them; returns how many.

    Oldest first, a batch a transaction: what goes out meanwhile goes in the order of its message.
    """
    # By primary key: the query may hold joins and an order that an UPDATE cannot have.
    keys = sorted(over(postbacks).values_list("pk", flat=True))
    batches = (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
    return sum(_make_due(batch, now) for batch in batches)


def _make_due(keys: Sequence[int], now: datetime) -> int:
    chosen = over(Postback.objects.filter(pk__in=keys))
    return chosen.update(status=Postback.Status.PENDING, due_at=now, ended_at=None, earlier_tries=F("tries"))
