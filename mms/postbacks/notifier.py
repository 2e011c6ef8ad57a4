"""Hands postbacks over to the customers' servers, many in flight, few to one account at a time."""

import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime

import structlog
from django.db import connection
from django.utils import timezone

from base import shutdown
from mms.models import tracking_ids
from mms.postbacks import dialects, outbox
from mms.postbacks.outbox import Parcel
from mms.runtime import wakeup
from mms.runtime.db_retry import DATABASE_GONE, store
from mms.runtime.http_client import NoReply, Reply, Request
from mms.runtime.in_flight import Flight
from mms.runtime.time_slice import Shift

log = structlog.get_logger()

IN_FLIGHT = 768  # a process; each is a socket, and many systems give a process no more than 1,024
PER_ACCOUNT = 64  # at once, so that a server that hangs holds up nobody else's
CLAIM = 32  # of one account at a time
LAND = 0.01  # seconds to wait for an answer before the doorbell is listened to again
CLAIM_EVERY = 0.05  # seconds between two claims while answers are expected: what comes meanwhile goes together
GATHER = 0.05  # seconds that an answer waits for others that are expected, to be stored with them


def run(clock: Callable[[], datetime] = timezone.now) -> None:
    """Works until nothing is due and nothing in flight, or its shift is over, and then ends what it has.

    Asked to stop, it takes on no more.
    """
    with Flight[Parcel](IN_FLIGHT) as flight:
        try:
            _work(flight, clock)
        except DATABASE_GONE as problem:
            log.warning("the database is gone", problem=str(problem).strip(), in_flight=len(flight.keys))
            connection.close()
        finally:
            # What the customers' servers answer to what is in flight is stored before the task ends.
            while flight.keys:
                _bring_home(flight, clock)


def _work(flight: Flight[Parcel], clock: Callable[[], datetime]) -> None:
    shift = Shift(flight, clock, lambda parcel: parcel.postback.account_id)
    looked, more = 0.0, True
    while not shutdown.asked() and not shift.over():
        if _time_to_claim(flight, looked, more):
            looked = time.monotonic()
            wakeup.looked(wakeup.NOTIFY)
            more = flight.room > 0 and launch(flight, clock(), shift.served_no_longer) > 0
            if not more and not flight.keys:
                return
        _bring_home(flight, clock)
    wakeup.ring(wakeup.NOTIFY)  # what is left is for the next


def _time_to_claim(flight: Flight[Parcel], looked: float, more: bool) -> bool:
    """Whether to look for what is due. Servers that hang keep something in flight, but nobody from being served."""
    if not flight.keys or time.monotonic() - looked >= CLAIM_EVERY:
        return True
    return not flight.expected and (more or wakeup.woken(wakeup.NOTIFY))


def _bring_home(flight: Flight[Parcel], clock: Callable[[], datetime]) -> None:
    if landed := flight.landed(LAND, GATHER):
        store(landed, lambda some: outbox.settle(some, clock()))
        for parcel, result in landed:
            _log(parcel, result)


def launch(flight: Flight[Parcel], now: datetime, without: Collection[int] = ()) -> int:
    """Claims what is due, `without` that of these accounts, and sends it off; returns how many."""
    in_flight = Counter(parcel.postback.account_id for parcel in flight.keys)
    # The less room there is, the less of it is taken: many that hang at once leave some to all the others.
    share = min(PER_ACCOUNT, -(-flight.room // 4))
    claim = min(CLAIM, share)
    busy = [account for account, count in in_flight.items() if count > share - claim]
    parcels = outbox.claim(now, claim, [*busy, *without], -(-flight.room // 2))
    for parcel in parcels:
        flight.launch(parcel, request(parcel))
    return len(parcels)


def _log(parcel: Parcel, result: Reply | NoReply) -> None:
    postback = parcel.postback
    log.info(
        "postback",
        tracking_id=tracking_ids.name_of(postback.message_id) if postback.message_id else "",
        account=postback.account_id,
        event_id=postback.pk,
        code=postback.code,
        attempt=postback.tries,
        answer=result.status if isinstance(result, Reply) else result.reason,
        ms=round(result.seconds * 1000),
    )


def request(parcel: Parcel) -> Request:
    """The POST: the body as the protocol has it, what is ours in the headers."""
    postback = parcel.postback
    body = dialects.body(postback.fields, postback.dialect)
    secrets = postback.account.signing_secrets
    timestamp = str(int(parcel.attempt.started_at.timestamp()))
    headers = {
        "Content-Type": dialects.DIALECTS[postback.dialect].content_type,
        "X-MMS-Event-Id": str(postback.pk),
        "X-MMS-Sequence": str(parcel.sequence),
        "X-MMS-Attempt": str(postback.tries),
        "X-MMS-Timestamp": timestamp,
        "X-MMS-Signature": ",".join(f"v1={sign(secret, timestamp, body)}" for secret in secrets),
    }
    return Request(parcel.attempt.url, body, headers, outbox.TIMEOUT, status_suffices=True)


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over timestamp, a full stop and body, as hex."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
