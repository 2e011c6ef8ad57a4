"""Claiming: lease due messages and discoveries to a worker, and start the discovery that a message needs first."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from mms.messages import discovery, feed, leases, transitions
from mms.models import Discovery, Message, Status


def claim_messages(
    now: datetime,
    per_carrier: int,
    busy: Sequence[int] = (),
    room: int = leases.CLAIM_MAX,
    trusted: Sequence[int] | None = None,
    trial: int = leases.CLAIM_MAX,
) -> tuple[list[Message], int]:
    """Claim due messages (see leases.claim). Return those to send now, and the number of due ones.

    Messages that need a discovery start to wait for it; expired ones fail.
    """
    with transaction.atomic():
        claimed, due = leases.claim(Message, now, per_carrier, busy, room, trusted, trial)
        live = [message for message in claimed if message.expires_at > now]
        expired = [message for message in claimed if message.expires_at <= now]
        transitions.fail(expired, "it expired before it could be sent", now)
    # In a transaction of its own, without locks on the messages: a discovery is always locked before its messages.
    with transaction.atomic():
        waiting = discovery.start_waiting(live, now)
    feed.give_back([*expired, *(message for message in live if message.pk in waiting)], now)
    return [message for message in live if message.pk not in waiting], due


def claim_discoveries(
    now: datetime,
    per_carrier: int,
    busy: Sequence[int] = (),
    room: int = leases.CLAIM_MAX,
    trusted: Sequence[int] | None = None,
    trial: int = leases.CLAIM_MAX,
) -> tuple[list[Discovery], int]:
    """Claim discoveries whose DDM is due (see leases.claim). Return those to send now, and the number of due ones.

    A discovery that no message waits for any more fails unsent.
    """
    with transaction.atomic():
        claimed, due = leases.claim(Discovery, now, per_carrier, busy, room, trusted, trial)
        expired = [found for found in claimed if found.expires_at <= now]
        if expired:
            Discovery.objects.filter(pk__in=[found.pk for found in expired]).update(status=Status.FAILED, due_at=None)
    feed.give_back(expired, now)
    return [found for found in claimed if found.expires_at > now], due
