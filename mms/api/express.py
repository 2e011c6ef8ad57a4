"""The quick way of a sendSavedMMS: checked against what is remembered, accepted with all that wait at that moment.

Nothing is refused here. What cannot be accepted as it stands goes the ordinary way, where everything is read anew and
the documented order of checks holds. What is accepted has been looked at once more in the transaction that does it:
the key and its account, the block lists, the template, the funds.
"""

from collections.abc import Sequence
from functools import partial

from django.db import DatabaseError
from django.utils import timezone

from config import memory
from mms import doorbell, flow
from mms.acceptance import Outcome
from mms.api.answers import Fields
from mms.api.errors import Refusal
from mms.api.gate import Call
from mms.api.send_saved import check_not_suspended, order, queued
from mms.models import Message
from mms.order import Order
from mms.together import Together

# What asks for more than to be sent.
NOT_PLAIN = ("dry_run", "idempotency_key")


def _accept(orders: Sequence[Order]) -> list[Outcome]:
    return flow.accept(orders, timezone.now())


together = Together(_accept, afterwards=partial(doorbell.ring, doorbell.WORK))


def answer(call: Call) -> Fields | None:
    """The answer to a sendSavedMMS that was accepted; None where nothing has become of it yet.

    Raises OutcomeUnknown.
    """
    if any(call.request.all(name) for name in NOT_PLAIN):
        return None
    with memory.recalling():
        try:
            key = call.admitted({call.name})
            wanted = order(call.request, key.account, key=key)
            check_not_suspended(key.account)
            outcome = together(wanted)
        except (Refusal, DatabaseError):
            return None
    return queued(outcome) if isinstance(outcome, Message) else None
