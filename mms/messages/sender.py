"""The sender: claims, adapts and submits due messages and DDMs, as two sources of one send loop.

Celery workers run it on each wake-up, and at least about once a second.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic

import structlog
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from base import shutdown, sql
from handsets import cache
from mms.adaptation.plan import CannotFit
from mms.adaptation.texts import with_crlf
from mms.messages import attempts, claiming, feed, gateway, leases, sweeper, transitions
from mms.messages.attempts import CompletedSubmit
from mms.messages.leases import Sent
from mms.messages.transitions import AdaptedMessage
from mms.models import Attempt, Discovery, Message
from mms.protocol.submit import Part
from mms.rendering.compose import Composer
from mms.rendering.renditions import StorageError
from mms.runtime import wakeup
from mms.runtime.db_retry import DATABASE_GONE
from mms.runtime.http_client import Purpose, Request
from mms.runtime.send_loop import Claim, Clock, Launches, Limits, Replies, Room, SendLoop

log = structlog.get_logger()

LIMITS: Final = Limits(
    in_flight=512,
    per_destination=127,  # a carrier with 63 submits in flight has room for one more claim
    claim=64,
    claim_room=8,  # a small claim costs as much as a full one
    destination_share=1 / 3,  # many carriers whose MMSCs hang at once leave room for the others
    trial=8,
    claim_every=0.1,
    reply_wait=0.05,
    gather=0.1,
    slow=math.inf,  # never: replies of slow MMSCs are settled in batches as well
)
GROUP: Final = 32  # messages prepared at once, before their requests are launched


@dataclass(frozen=True, eq=False, slots=True)
class Submit(Generic[Sent]):
    """A submit in flight."""

    sent: Sent
    attempt: Attempt


def run(clock: Clock = timezone.now) -> None:
    """Send due messages and DDMs until none is left, the time slice ends or the worker stops. Sweep every second."""
    send_loop(clock).run()


def send_loop(clock: Clock = timezone.now) -> SendLoop:
    """Return the loop that sends messages and DDMs.

    DDMs come first: they have deadlines of minutes, and a backlog of messages would leave them no room at the carrier.
    """
    return SendLoop(wakeup.WORK, Purpose.MMSC, (DiscoverySource(), MessageSource()), LIMITS, clock, sweeper.sweep)


def _carrier(submit: Submit[Sent]) -> int:
    return submit.sent.carrier_id


def _account(submit: Submit[Sent]) -> int:
    return submit.sent.account_id


def _completed(replies: Replies[Submit[Sent]]) -> list[CompletedSubmit[Sent]]:
    return [
        CompletedSubmit(submit.sent, submit.attempt, gateway.submit_result(submit.sent.carrier, reply))
        for submit, reply in replies
    ]


# --- messages -----------------------------------------------------------------------------------------------------


class MessageSource:
    """The source of due messages."""

    def claim(self, now: datetime, room: Room) -> Claim[Message]:
        """Claim due messages. After a message that had to be claimed alone, ask for the next claim at once."""
        ready, due = claiming.claim_messages(now, room.per_destination, room.busy, room.total, room.trusted, room.trial)
        return Claim(ready, due, again=any(message.losses for message in ready))

    def prepare(self, rows: Sequence[Message], clock: Clock) -> Iterator[Launches[Submit[Message]]]:
        """Adapt the messages in groups and write their attempts. Release the remaining ones if the worker stops."""
        composer = Composer(rows)
        while rows and not shutdown.requested():
            leases.renew(rows, clock())
            group, rows = rows[:GROUP], rows[GROUP:]
            requests = {each.message.pk: (each, request) for each, request in adapt(group, composer, clock())}
            started = transitions.start_attempts([each for each, _ in requests.values()], clock())
            started_keys = {message.pk for message, _ in started}
            feed.give_back([message for message in group if message.pk not in started_keys], clock())
            yield [(Submit(message, attempt), requests[message.pk][1]) for message, attempt in started]
        self.release(rows, clock())

    def release(self, rows: Sequence[Message], now: datetime) -> None:
        """Release claimed rows, so that other workers can claim them at once."""
        leases.release_unstarted(rows, now)
        feed.give_back(rows, now)

    def settle(self, replies: Replies[Submit[Message]], now: datetime) -> None:
        """Record the MMSC's results for the messages."""
        submits = _completed(replies)
        transitions.record_submit_results(submits, now)
        feed.record([submit.attempt for submit in submits], now)
        wakeup.wake(wakeup.NOTIFY)
        for submit in submits:
            _log(submit, tracking_id=submit.sent.tracking_id)

    destination = staticmethod(_carrier)
    account = staticmethod(_account)


def adapt(group: Sequence[Message], composer: Composer, now: datetime) -> list[tuple[AdaptedMessage, Request]]:
    """Adapt messages to their handsets. Return those that succeeded, each with the request that submits it."""
    known = cache.find_handsets({message.number for message in group}, now)
    for message in group:
        message.handset = known.get(message.number)
    return [ready for message in group if (ready := _adapt_one(message, composer, now))]


def _adapt_one(message: Message, composer: Composer, now: datetime) -> tuple[AdaptedMessage, Request] | None:
    with bound_contextvars(tracking_id=message.tracking_id):
        try:
            return _compose(message, composer, now)
        except DATABASE_GONE as problem:
            if not sql.has_timed_out(problem):
                raise
            log.warning("a message waits for a lock", problem=str(problem).strip())
            transitions.postpone(message, "the database was busy", now)
        except StorageError as problem:
            log.warning("a message waits for storage", problem=str(problem))
            transitions.postpone(message, f"storage failed: {problem}"[:300], now)
        except Exception as problem:
            log.exception("a message could not be prepared")
            transitions.record_preparation_failure(message, f"{type(problem).__name__}: {problem}"[:300], now)
    return None


def _compose(message: Message, composer: Composer, now: datetime) -> tuple[AdaptedMessage, Request] | None:
    result = composer.compose(message)
    if isinstance(result, CannotFit):
        transitions.fail_unfit(message, result, now)
        return None
    request = gateway.http_request(message.carrier, gateway.submit_request(message, result.parts, now))
    return AdaptedMessage(message, result, len(request.body)), request


# --- discoveries --------------------------------------------------------------------------------------------------


class DiscoverySource:
    """The source of due DDMs."""

    def claim(self, now: datetime, room: Room) -> Claim[Discovery]:
        """Claim discoveries whose DDM is due."""
        claimed, due = claiming.claim_discoveries(
            now, room.per_destination, room.busy, room.total, room.trusted, room.trial
        )
        return Claim(claimed, due)

    def prepare(self, rows: Sequence[Discovery], clock: Clock) -> Iterator[Launches[Submit[Discovery]]]:
        """Build the DDMs and write their attempts."""
        requests = {found.pk: (found, request) for found in rows if (request := _ddm_request(found, clock()))}
        started = attempts.start([(found, len(request.body)) for found, request in requests.values()], clock())
        started_keys = {found.pk for found, _ in started}
        feed.give_back([found for found in rows if found.pk not in started_keys], clock())
        yield [(Submit(found, attempt), requests[found.pk][1]) for found, attempt in started]

    def release(self, rows: Sequence[Discovery], now: datetime) -> None:
        """Release claimed rows, so that other workers can claim them at once."""
        leases.release_unstarted(rows, now)
        feed.give_back(rows, now)

    def settle(self, replies: Replies[Submit[Discovery]], now: datetime) -> None:
        """Record the MMSC's results for the DDMs."""
        submits = _completed(replies)
        transitions.record_ddm_results(submits, now)
        feed.record([submit.attempt for submit in submits], now)
        wakeup.wake(wakeup.NOTIFY)
        for submit in submits:
            _log(submit, discovery=submit.sent.pk)

    destination = staticmethod(_carrier)
    account = staticmethod(_account)


def _ddm_request(found: Discovery, now: datetime) -> Request | None:
    try:
        parts = (Part("text", "text.txt", "text/plain", with_crlf(found.text).encode(), "utf-8"),)
        return gateway.http_request(found.carrier, gateway.submit_request(found, parts, now))
    except Exception:
        log.exception("a DDM could not be prepared", discovery=found.pk)
        transitions.record_ddm_preparation_failure(found, now)
        return None


def _log(submit: CompletedSubmit[Sent], **names: object) -> None:
    sent, result = submit.sent, submit.result
    fields = {"outcome": result.outcome, "code": result.code, "http_status": result.http_status}
    log.info("submit", carrier=sent.carrier.slug, attempt=submit.attempt.try_number, **fields, **names)
