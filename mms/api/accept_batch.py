"""The quick way of a sendSavedMMS: checked against what is remembered, accepted with all that wait at that moment.

One thread reads, checks, accepts and answers for them, one after the other: threads that did so side by side would take
the interpreter from each other all the time, and with it what the processor has at hand.

Nothing is refused here. What cannot be accepted as it stands goes the ordinary way, where everything is read anew and
the documented order of checks holds. What is accepted has been looked at once more in the transaction that does it:
the key and its account, the block lists, the template, the funds.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol, TypeAlias

from django.db import DatabaseError
from django.http import HttpResponse
from django.utils import timezone

from base import stale_cache
from billing.actions import Action
from mms.api.answers import Fields
from mms.api.authorization import Call
from mms.api.send_saved import check_not_suspended, order, queued
from mms.messages.accept import Accepted, Outcome, OutcomeUnknown, accept
from mms.messages.request import SendRequest
from mms.runtime import wakeup
from mms.runtime.group_commit import Together

NAME: Final = Action.SEND_SAVED_MMS
# What asks for more than to be sent.
NOT_PLAIN: Final = ("dry_run", "idempotency_key")
# Bytes of the longest request that others wait for while it is read.
SHORT: Final = 16_384
# Seconds that requests wait for each other where they come in crowds.
PATIENCE: Final = 0.01


class Visit(Protocol):
    """A request at a door."""

    def called(self) -> Call:
        """What is asked for. Raises Refusal; may be called again then."""

    def succeeded(self, fields: Fields) -> HttpResponse:
        """The response to a request that was accepted."""


Served: TypeAlias = HttpResponse | OutcomeUnknown | None


def suits(said: bytes) -> bool:
    """Whether the request may go this way, as far as can be seen at a glance."""
    return len(said) <= SHORT and NAME.encode() in said.lower()


def response(visit: Visit) -> HttpResponse | None:
    """The response to a sendSavedMMS that was accepted; None where nothing has become of it yet."""
    served = together(visit)
    if isinstance(served, OutcomeUnknown):
        raise served.problem
    return served


def _serve(visits: Iterator[Visit]) -> list[Served]:
    wanted: list[tuple[Visit, SendRequest | None]] = []
    try:
        with stale_cache.recalling():
            for visit in visits:
                wanted.append((visit, None))  # so that it is answered, too, where the look at it breaks
                wanted[-1] = (visit, _order(visit))
            outcomes = iter(_accept([order for _, order in wanted if order]))
    except DatabaseError:  # not once more for each while the others wait: they try it side by side
        return [None] * len(wanted)
    return [_served(visit, next(outcomes)) if order else None for visit, order in wanted]


def _ring(served: Sequence[Served]) -> None:
    if any(each is not None for each in served):
        wakeup.ring(wakeup.WORK)


together = Together(_serve, afterwards=_ring, patience=PATIENCE)


def _order(visit: Visit) -> SendRequest | None:
    """What it orders, or None where that is for the ordinary way to find out."""
    try:
        call = visit.called()
        if call.name != NAME or any(call.request.all(name) for name in NOT_PLAIN):
            return None
        key = call.admitted({call.name})
        wanted = order(call.request, key)
        check_not_suspended(key.account)
    except DatabaseError:
        raise
    except Exception:  # noqa: BLE001 - a refusal or worse, it is this request's alone, whose own thread meets it again
        return None
    return wanted


def _accept(orders: Sequence[SendRequest]) -> Sequence[Outcome]:
    return accept(orders, timezone.now()) if orders else []


def _served(visit: Visit, outcome: Outcome) -> Served:
    if isinstance(outcome, Accepted):
        return visit.succeeded(queued(outcome.message))
    return outcome if isinstance(outcome, OutcomeUnknown) else None
