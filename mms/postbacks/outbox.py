"""The outbox: claims due postbacks, records the replies to them, and replays postbacks.

A postback waits until the earlier one of its message is delivered or given up. Accounts do not wait for each other:
each has its own limit of postbacks in flight.
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

# Anything but HTTP 200 within the time limit is retried.
TIMEOUT = 10.0  # seconds
RETRY_SCHEDULE = (timedelta(minutes=5),) * 5
LEASE = timedelta(seconds=30)
ANSWER_KEPT = 2048  # bytes of the reply
CLAIM_MAX = 256  # postbacks per claim
BATCH = 1000  # postbacks replayed in one transaction

# The oldest due postbacks of each account, at a cost that does not depend on the number of accounts: only those of the
# 256 oldest due postbacks are asked. If these may all be of a few accounts, with long backlogs, so are the next 64
# accounts with waiting postbacks from a random one on. Constants, so that they are known when the statement is planned.
DUE = """
WITH RECURSIVE oldest AS (
    SELECT account_id FROM mms_postback WHERE due_at <= %(now)s AND status = 'pending' ORDER BY due_at LIMIT 256
), first AS (
    SELECT account_id FROM mms_postback WHERE due_at IS NOT NULL ORDER BY account_id, due_at LIMIT 1
), walk AS (
    SELECT COALESCE((
        SELECT account_id FROM mms_postback WHERE due_at IS NOT NULL
            AND account_id >= (SELECT floor(random() * max(id))::bigint FROM billing_account)
        ORDER BY account_id, due_at LIMIT 1
    ), (SELECT account_id FROM first)) AS account_id, 1 AS step
    WHERE (SELECT count(*) FROM oldest) = 256
    UNION ALL
    SELECT COALESCE((
        SELECT account_id FROM mms_postback WHERE due_at IS NOT NULL AND account_id > walk.account_id
        ORDER BY account_id, due_at LIMIT 1
    ), (SELECT account_id FROM first)), step + 1
    FROM walk WHERE step < 64
), account AS (
    SELECT account_id FROM oldest UNION SELECT account_id FROM walk
)
SELECT due.id FROM account, LATERAL (
    SELECT id, due_at FROM mms_postback
    WHERE account_id = account.account_id AND due_at <= %(now)s
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) due
WHERE account.account_id <> ALL(%(busy)s)
ORDER BY due.due_at, due.id LIMIT %(room)s
"""

# Postpones postbacks that wait for an earlier one of their message. It runs after the rows are locked: if an earlier
# postback ends unseen by this statement, its settle() wakes the later ones in another transaction, which waits for our
# locks, so that no postponed row is forgotten. Ended postbacks have no due_at, which min() skips; with a condition on
# due_at instead, PostgreSQL could read every due row.
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

# Claims postbacks, and returns the position of each among the postbacks of its message, from 1.
CLAIM = """
UPDATE mms_postback SET due_at = %(lease)s, tries = tries + 1 WHERE id = ANY(%(keys)s)
RETURNING id, (
    SELECT count(*) FROM mms_postback earlier
    WHERE earlier.message_id = mms_postback.message_id AND earlier.id <= mms_postback.id
)
"""


@dataclass(frozen=True, eq=False, slots=True)
class ClaimedPostback:
    """A claimed postback, its attempt, its position among the postbacks of its message, and the end of its lease."""

    postback: Postback
    attempt: PostbackAttempt
    sequence: int
    lease: datetime


@sql.repeats_outdated
def claim(now: datetime, per_account: int, busy: Sequence[int] = (), room: int = CLAIM_MAX) -> list[ClaimedPostback]:
    """Claim up to `per_account` due postbacks of each account that is not `busy`, `room` in all; write their attempts.

    Postbacks that wait for an earlier one are postponed and others claimed instead, so the result is empty only if none
    is ready.
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
    return {key for (key,) in sql.fetch_rows(DUE, values)}


def _postpone(keys: set[int], now: datetime) -> set[int]:
    """Postpone postbacks that wait for an earlier one of their message. Return their keys."""
    values = {"keys": list(keys), "soonest": now + timedelta(milliseconds=1)}
    return {key for (key,) in sql.fetch_rows(POSTPONE, values)}


def _claimed(keys: set[int], now: datetime) -> list[ClaimedPostback]:
    lease = now + LEASE
    positions: dict[int, int] = dict(sql.fetch_rows(CLAIM, {"keys": list(keys), "lease": lease}))
    postbacks = sql.fetch_objects(Postback, "WHERE id = ANY(%s) ORDER BY id", [list(keys)])
    sql.load_related(postbacks, "account")
    attempts = bulk.insert(
        [PostbackAttempt(postback=postback, url=postback.target_url, started_at=now) for postback in postbacks]
    )
    return [
        ClaimedPostback(postback, attempt, positions[postback.pk] or 1, lease)
        for postback, attempt in zip(postbacks, attempts, strict=True)
    ]


@sql.repeats_outdated
def settle(replies: Sequence[tuple[ClaimedPostback, Reply | NoReply]], now: datetime) -> None:
    """Record the replies: each postback is delivered, retried later or given up.

    Later postbacks of the same messages become due.
    """
    delivered, retried, given_up = _sort(replies)
    with transaction.atomic():
        bulk.update([_completed(*pair) for pair in replies], "duration_ms", "http_status", "answer", "error")
        _lock([sent for sent, _ in replies])
        _end(delivered, Postback.Status.DELIVERED, now)
        for sent in retried:
            _retry(sent, now + RETRY_SCHEDULE[sent.postback.tries_since_replay - 1])
        _write_give_up_notices(_end(given_up, Postback.Status.GIVEN_UP, now), now)
    _wake_followers([sent.postback for sent, _ in replies], now)


def _sort(
    replies: Sequence[tuple[ClaimedPostback, Reply | NoReply]],
) -> tuple[list[ClaimedPostback], list[ClaimedPostback], list[ClaimedPostback]]:
    """Return the delivered postbacks, those to retry, and those to give up."""
    delivered = [sent for sent, result in replies if _is_delivered(result)]
    failed = [sent for sent, result in replies if not _is_delivered(result)]
    retried = [sent for sent in failed if sent.postback.tries_since_replay <= len(RETRY_SCHEDULE)]
    given_up = [sent for sent in failed if sent.postback.tries_since_replay > len(RETRY_SCHEDULE)]
    return delivered, retried, given_up


def _is_delivered(result: Reply | NoReply) -> bool:
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
    """Lock the rows in the order of their keys, to avoid deadlocks between workers."""
    sql.fetch_rows(LOCK, [[sent.postback.pk for sent in claimed]])


def _end(claimed: Sequence[ClaimedPostback], status: Postback.Status, now: datetime) -> list[Postback]:
    """End these postbacks, even if another worker has claimed them since. Return those that had not ended before."""
    if not claimed:
        return []
    by_key = {sent.postback.pk: sent.postback for sent in claimed}
    ended = sql.fetch_rows(END, {"keys": list(by_key), "status": status.value, "now": now})
    return [by_key[key] for key in sorted(key for (key,) in ended)]


def _write_give_up_notices(given_up: Sequence[Postback], now: datetime) -> None:
    """Write an E999 for each, after the other postbacks of its message. A given-up E999 gets none."""
    reported = [postback for postback in given_up if postback.code != notices.GIVEN_UP and postback.target_url]
    if not reported:
        return
    messages = Message.objects.filter(pk__in=[postback.message_id for postback in reported])
    # The locks keep the primary keys of one message's postbacks in the order of its steps.
    list(messages.select_for_update(no_key=True).order_by(*LOCK_ORDER).values_list("pk"))
    Postback.objects.bulk_create(_give_up_notice(postback, now) for postback in reported)


def _give_up_notice(given_up: Postback, now: datetime) -> Postback:
    code = dialects.DIALECTS[given_up.dialect].code(given_up.fields)
    return Postback(
        account=given_up.account,
        message_id=given_up.message_id,
        code=notices.GIVEN_UP,
        fields=notices.give_up_fields(given_up.fields, code, given_up.tries_since_replay, now),
        dialect=given_up.account.postback_dialect,
        due_at=now,
        created_at=now,
    )


def _wake_followers(postbacks: Sequence[Postback], now: datetime) -> None:
    """Make the untried postbacks of these messages due. Those still blocked are postponed again when they are claimed.

    Regardless of their due_at: another worker may be postponing them right now, so we have to wait for its locks.
    """
    messages = {postback.message_id for postback in postbacks if postback.message_id is not None}
    sql.fetch_rows(WAKE, {"messages": list(messages), "now": now})


def _retry(sent: ClaimedPostback, at: datetime) -> None:
    Postback.objects.filter(pk=sent.postback.pk, due_at=sent.lease).update(due_at=at)


# --- replay -------------------------------------------------------------------------------------------------------


def ended(postbacks: QuerySet[Postback]) -> QuerySet[Postback]:
    """Return those of the postbacks that are delivered or given up."""
    return postbacks.exclude(status=Postback.Status.PENDING)


def for_message(message: Message) -> QuerySet[Postback]:
    """Return the postbacks of a message, without any E999."""
    return Postback.objects.filter(message=message).exclude(code=notices.GIVEN_UP)


def given_up_between(account: Account, since: datetime, until: datetime | None = None) -> QuerySet[Postback]:
    """Return the postbacks of the account given up from `since` on, before `until`, without any E999."""
    found = Postback.objects.filter(account=account, status=Postback.Status.GIVEN_UP, ended_at__gte=since)
    # An E999 only reports a postback that is replayed here anyway.
    found = found.exclude(code=notices.GIVEN_UP)
    return found.filter(ended_at__lt=until) if until else found


def replay(postbacks: QuerySet[Postback], now: datetime) -> int:
    """Make the ended ones of the postbacks due again, each with the full retry schedule. Return their number.

    One transaction per batch, the oldest first, so that a message's postbacks stay in order if some are sent before the
    last batch.
    """
    # By primary key: an UPDATE cannot have the joins and the order that the query may have.
    keys = sorted(ended(postbacks).values_list("pk", flat=True))
    batches = (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
    return sum(_make_due(batch, now) for batch in batches)


def _make_due(keys: Sequence[int], now: datetime) -> int:
    chosen = ended(Postback.objects.filter(pk__in=keys))
    return chosen.update(status=Postback.Status.PENDING, due_at=now, ended_at=None, earlier_tries=F("tries"))
