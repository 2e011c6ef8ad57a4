"""The notifier: claims, signs and sends due postbacks, as the source of a send loop.

Celery workers run it on each wake-up, and at least about once a second.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import structlog
from django.utils import timezone

from mms.models import tracking_ids
from mms.postbacks import outbox
from mms.postbacks.outbox import ClaimedPostback
from mms.postbacks.signed_request import signed_request
from mms.runtime import wakeup
from mms.runtime.http_client import NoReply, Purpose, Reply
from mms.runtime.in_flight import SLOW
from mms.runtime.send_loop import Claim, Clock, Launches, Limits, Replies, Room, SendLoop

log = structlog.get_logger()

LIMITS: Final = Limits(
    in_flight=768,  # many systems limit a process to 1,024 sockets
    per_destination=64,
    claim=32,
    destination_share=1 / 4,  # many accounts with hanging servers at once leave room for the others
    claim_share=1 / 2,
    claim_every=0.05,
    reply_wait=0.01,
    gather=0.05,
    slow=SLOW,
)


def run(clock: Clock = timezone.now) -> None:
    """Send due postbacks until none is left, the time slice ends or the worker stops."""
    send_loop(clock).run()


def send_loop(clock: Clock = timezone.now, limits: Limits = LIMITS) -> SendLoop:
    """Return the loop that sends postbacks."""
    return SendLoop(wakeup.NOTIFY, Purpose.POSTBACK, (PostbackSource(),), limits, clock)


class PostbackSource:
    """The source of due postbacks."""

    def claim(self, now: datetime, room: Room) -> Claim[ClaimedPostback]:
        """Claim due postbacks and write their attempts."""
        claimed = outbox.claim(now, room.per_destination, room.busy, room.total)
        return Claim(claimed, len(claimed))

    def prepare(self, rows: Sequence[ClaimedPostback], clock: Clock) -> Iterator[Launches[ClaimedPostback]]:
        """Build and sign the requests."""
        yield [(claimed, signed_request(claimed)) for claimed in rows]

    def release(self, rows: Sequence[ClaimedPostback], now: datetime) -> None:
        """Record that the requests could not be sent. Their attempts are written with the claim."""
        outbox.settle(
            [(claimed, NoReply(written=False, reason="it could not be sent", seconds=0)) for claimed in rows], now
        )

    def settle(self, replies: Replies[ClaimedPostback], now: datetime) -> None:
        """Record the replies of the customers' servers."""
        outbox.settle(replies, now)
        for claimed, reply in replies:
            _log(claimed, reply)

    def destination(self, item: ClaimedPostback) -> int:
        """Return the key of the account."""
        return item.postback.account_id

    account = destination


def _log(claimed: ClaimedPostback, reply: Reply | NoReply) -> None:
    postback = claimed.postback
    log.info(
        "postback",
        tracking_id=tracking_ids.format_tracking_id(postback.message_id) if postback.message_id else "",
        account=postback.account_id,
        event_id=postback.pk,
        code=postback.code,
        attempt=postback.tries,
        answer=reply.status if isinstance(reply, Reply) else reply.reason,
        ms=round(reply.seconds * 1000),
    )
