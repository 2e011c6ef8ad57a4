"""The outbox: which postbacks are due, what an attempt to hand one over means for it, and sending one again.

For one message, a later postback waits until the earlier one is taken or given up. Accounts do not wait for each
other: each has its own few at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, QuerySet

from billing.models import Account
from mms.models import Message, Postback, PostbackAttempt
from mms.outbound import NoReply, Reply
from mms.postbacks import dialects, notices

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

# In a statement of its own, after the rows are locked. An earlier postback that ends unseen by it wakes its followers
# after it has ended, in a transaction of its own (settle): that finds our rows and waits for our locks, so what is
# put off here is never forgotten.
BLOCKED = """
SELECT later.id, min(earlier.due_at) FROM mms_postback later
JOIN mms_postback earlier
  ON earlier.message_id = later.message_id AND earlier.id < later.id AND earlier.due_at IS NOT NULL
WHERE later.id = ANY(%(keys)s)
GROUP BY later.id
"""

NUMBERED = """
SELECT later.id, count(*) FROM mms_postback later
JOIN mms_postback earlier ON earlier.message_id = later.message_id AND earlier.id <= later.id
WHERE later.id = ANY(%(keys)s)
GROUP BY later.id
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
            ready = keys - _put_off(keys, now)
            if ready or not keys:
                return _parcels(ready, now)


def _locked(now: datetime, per_account: int, busy: Sequence[int], room: int) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"now": now, "limit": per_account, "busy": list(busy), "room": room})
        return {key for (key,) in cursor.fetchall()}


def _put_off(keys: set[int], now: datetime) -> set[int]:
    """Puts off those that wait for an earlier postback of their message; returns their keys."""
    with connection.cursor() as cursor:
        cursor.execute(BLOCKED, {"keys": list(keys)})
        blocked = dict(cursor.fetchall())
    for key, earlier_due in blocked.items():
        Postback.objects.filter(pk=key).update(due_at=max(earlier_due, now + timedelta(milliseconds=1)))
    return set(blocked)


def _numbers(keys: set[int]) -> dict[int, int]:
    """The place of each of them among the postbacks of its message, from 1."""
    with connection.cursor() as cursor:
        cursor.execute(NUMBERED, {"keys": list(keys)})
        return dict(cursor.fetchall())


def _parcels(keys: set[int], now: datetime) -> list[Parcel]:
    lease, numbers = now + LEASE, _numbers(keys)
    Postback.objects.filter(pk__in=keys).update(due_at=lease, tries=F("tries") + 1)
    postbacks = list(Postback.objects.filter(pk__in=keys).select_related("account").order_by("pk"))
    attempts = PostbackAttempt.objects.bulk_create(
        PostbackAttempt(postback=postback, url=postback.address, started_at=now) for postback in postbacks
    )
    return [
        Parcel(postback, attempt, numbers.get(postback.pk, 1), lease)
        for postback, attempt in zip(postbacks, attempts, strict=True)
    ]


def settle(landed: Sequence[tuple[Parcel, Reply | NoReply]], now: datetime) -> None:
    """Completes the attempts: taken, to be tried again later, or given up. Then the followers of the ended are due."""
    given_up = []
    with transaction.atomic():
        for parcel, result in sorted(landed, key=lambda pair: pair[0].postback.pk):
            _complete(parcel.attempt, result)
            if isinstance(result, Reply) and result.status == 200:
                _end(parcel, Postback.Status.TAKEN, now)
            elif parcel.postback.round_tries <= len(RETRY_LADDER):
                _retry(parcel, now + RETRY_LADDER[parcel.postback.round_tries - 1])
            elif _end(parcel, Postback.Status.GIVEN_UP, now):
                given_up.append(parcel.postback)
        _tell_of(given_up, now)
    _wake_followers([parcel.postback for parcel, _ in landed], now)


def _complete(attempt: PostbackAttempt, result: Reply | NoReply) -> None:
    attempt.duration_ms = round(result.seconds * 1000)
    if isinstance(result, Reply):
        attempt.http_status = result.status
        attempt.answer = result.body[:ANSWER_KEPT].decode("utf-8", "replace").replace("\x00", "\ufffd")
    else:
        attempt.error = result.reason
    attempt.save(update_fields=["duration_ms", "http_status", "answer", "error"])


def _end(parcel: Parcel, status: Postback.Status, now: datetime) -> bool:
    """The postback is done with, even if another worker has taken it over. Returns whether it was not before."""
    pending = Postback.objects.filter(pk=parcel.postback.pk, status=Postback.Status.PENDING)
    return bool(pending.update(status=status, due_at=None, ended_at=now))


def _tell_of(given_up: Sequence[Postback], now: datetime) -> None:
    """An E999 for each of them, last in line among its message's postbacks. An E999 is followed by none."""
    told_of = [postback for postback in given_up if postback.code != notices.GIVEN_UP and postback.address]
    messages = Message.objects.filter(pk__in=[postback.message_id for postback in told_of])
    # Holding the rows keeps the primary keys of one message's postbacks in the order of what they tell.
    list(messages.select_for_update(no_key=True).order_by("pk").values_list("pk"))
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
    followers = Postback.objects.filter(message__in=messages, status=Postback.Status.PENDING, tries=F("earlier_tries"))
    followers.update(due_at=now)


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
