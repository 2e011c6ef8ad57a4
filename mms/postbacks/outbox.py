"""The outbox: claiming due postbacks, settling the replies to them, and replaying postbacks.

Of one message, a postback waits until the earlier one is accepted or given up. Accounts do not wait for each other:
each has a few postbacks in flight of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from base import bulk, sql
from billing.models import Account
from mms.models import LOCK_ORDER, Message, Postback, PostbackAttempt
from mms.postbacks import dialects, notices
from mms.runtime.http_client import NoReply, Reply

# Retry schedule: anything but HTTP 200 within 10 seconds is retried 5 minutes later, at most 5 times.
TIMEOUT = 10.0  # seconds
RETRY_LADDER = (timedelta(minutes=5),) * 5
LEASE = timedelta(seconds=30)
ANSWER_KEPT = 2048  # bytes of the reply
ROOM = 256  # postbacks that one claim takes at most
BATCH = 1000  # postbacks replayed in one transaction

DUE = """
SELECT due.id FROM billing_account, LATERAL (
    SELECT id, due_at FROM mms_postback
    WHERE account_id = billing_account.id AND due_at <= %(now)s
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) due
WHERE billing_account.id <> ALL(%(busy)s)
ORDER BY due.due_at, due.id LIMIT %(room)s
"""

# Postpones postbacks that wait for an earlier one of their message. A statement of its own, after the rows are locked:
# if an earlier postback ends unseen by it, its settle() wakes the followers in a later transaction, which waits for our
# locks, so no postponed row is forgotten. Ended postbacks have no due_at, which min() skips; as a condition instead, it
# would let PostgreSQL start with every due row.
POSTPONE = """
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

# Claims postbacks, and returns for each its place among the postbacks of its message, from 1.
TAKE = """
UPDATE mms_postback SET due_at = %(lease)s, tries = tries + 1 WHERE id = ANY(%(keys)s)
RETURNING id, (
    SELECT count(*) FROM mms_postback earlier
    WHERE earlier.message_id = mms_postback.message_id AND earlier.id <= mms_postback.id
)
"""


@dataclass(frozen=True, eq=False, slots=True)
class ClaimedPostback:
    """A claimed postback, its attempt, and its place among the postbacks of its message."""

    postback: Postback
    attempt: PostbackAttempt
    sequence: int
    lease: datetime


def claim(now: datetime, per_account: int, busy: Sequence[int] = (), room: int = ROOM) -> list[ClaimedPostback]:
    """Claim up to `per_account` due postbacks of each account that is not `busy`, `room` in all; write their attempts.

    Return none only if none is ready: postbacks that wait for an earlier one are postponed and others looked at.
    """
    while True:
        with transaction.atomic():
            keys = _locked(now, per_account, busy, room)
            if not keys:
                return []
            if ready := keys - _postpone(keys, now):
                return _claimed(ready, now)


def _locked(now: datetime, per_account: int, busy: Sequence[int], room: int) -> set[int]:
    values = {"now": now, "limit": per_account, "busy": list(busy), "room": room}
    return {key for (key,) in sql.rows(DUE, values)}


def _postpone(keys: set[int], now: datetime) -> set[int]:
    """Postpone postbacks that wait for an earlier one of their message. Return their keys."""
    values = {"keys": list(keys), "soonest": now + timedelta(milliseconds=1)}
    return {key for (key,) in sql.rows(POSTPONE, values)}


def _claimed(keys: set[int], now: datetime) -> list[ClaimedPostback]:
    lease = now + LEASE
    numbers: dict[int, int] = dict(sql.rows(TAKE, {"keys": list(keys), "lease": lease}))
    postbacks = sql.objects(Postback, "WHERE id = ANY(%s) ORDER BY id", [list(keys)])
    sql.fetch(postbacks, "account")
    attempts = bulk.insert(
        [PostbackAttempt(postback=postback, url=postback.address, started_at=now) for postback in postbacks]
    )
    return [
        ClaimedPostback(postback, attempt, numbers[postback.pk] or 1, lease)
        for postback, attempt in zip(postbacks, attempts, strict=True)
    ]


def settle(replies: Sequence[tuple[ClaimedPostback, Reply | NoReply]], now: datetime) -> None:
    """Complete the attempts: accepted, retried later, or given up. The postbacks after an ended one become due."""
    accepted, retried, given_up = _sort(replies)
    with transaction.atomic():
        bulk.update([_completed(*pair) for pair in replies], "duration_ms", "http_status", "answer", "error")
        _lock([sent for sent, _ in replies])
        _end(accepted, Postback.Status.DELIVERED, now)
        for sent in retried:
            _retry(sent, now + RETRY_LADDER[sent.postback.round_tries - 1])
        _write_give_up_notices(_end(given_up, Postback.Status.GIVEN_UP, now), now)
    _wake_followers([sent.postback for sent, _ in replies], now)


def _sort(
    replies: Sequence[tuple[ClaimedPostback, Reply | NoReply]],
) -> tuple[list[ClaimedPostback], list[ClaimedPostback], list[ClaimedPostback]]:
    """Those that were taken, those that are tried again, and those that are given up."""
    accepted = [sent for sent, result in replies if _accepted(result)]
    failed = [sent for sent, result in replies if not _accepted(result)]
    retried = [sent for sent in failed if sent.postback.round_tries <= len(RETRY_LADDER)]
    given_up = [sent for sent in failed if sent.postback.round_tries > len(RETRY_LADDER)]
    return accepted, retried, given_up


def _accepted(result: Reply | NoReply) -> bool:
    return isinstance(result, Reply) and result.status == 200


def _completed(sent: ClaimedPostback, result: Reply | NoReply) -> PostbackAttempt:
    attempt = sent.attempt
    attempt.duration_ms = round(result.seconds * 1000)
    if isinstance(result, Reply):
        attempt.http_status = result.status
        attempt.answer = result.body[:ANSWER_KEPT].decode("utf-8", "replace").replace("\x00", "\ufffd")
    else:
        attempt.error = result.reason
    return attempt


def _lock(claimed: Sequence[ClaimedPostback]) -> None:
    """Lock the rows in one order for all workers, so that no two of them wait for each other."""
    sql.rows(LOCK, [[sent.postback.pk for sent in claimed]])


def _end(claimed: Sequence[ClaimedPostback], status: Postback.Status, now: datetime) -> list[Postback]:
    """These are done with, even if another worker has taken them over. Returns those that were not before."""
    if not claimed:
        return []
    by_key = {sent.postback.pk: sent.postback for sent in claimed}
    ended = sql.rows(END, {"keys": list(by_key), "status": status.value, "now": now})
    return [by_key[key] for key in sorted(key for (key,) in ended)]


def _write_give_up_notices(given_up: Sequence[Postback], now: datetime) -> None:
    """An E999 for each of them, last in line among its message's postbacks. An E999 is followed by none."""
    noticed = [postback for postback in given_up if postback.code != notices.GIVEN_UP and postback.address]
    if not noticed:
        return
    messages = Message.objects.filter(pk__in=[postback.message_id for postback in noticed])
    # Holding the rows keeps the primary keys of one message's postbacks in the order of what they tell.
    list(messages.select_for_update(no_key=True).order_by(*LOCK_ORDER).values_list("pk"))
    Postback.objects.bulk_create(_after(postback, now) for postback in noticed)


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


def _retry(sent: ClaimedPostback, at: datetime) -> None:
    Postback.objects.filter(pk=sent.postback.pk, due_at=sent.lease).update(due_at=at)


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
