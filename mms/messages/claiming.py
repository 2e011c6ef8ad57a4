"""Claiming: due messages and discoveries are taken under a lease; a message may have to wait for a discovery first."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from mms.messages import discovery, leases, transitions
from mms.models import Discovery, Message, Status


def claim_messages(
    now: datetime, per_carrier: int, busy: Sequence[int] = (), room: int = leases.ROOM
) -> tuple[list[Message], int]:
    """Claim due messages. Return those to send now, and how many were claimed in all.

    Messages that need a discovery are left waiting for it; those that expired have failed.
    """
    with transaction.atomic():
        claimed = leases.claim(Message, now, per_carrier, busy, room)
        live = [message for message in claimed if message.expires_at > now]
        expired = [message for message in claimed if message.expires_at <= now]
        transitions.fail(expired, "it expired before it could be sent", now)
    # Under their leases alone: a report that arrives for a discovery locks its row before those of its messages.
    with transaction.atomic():
        waiting = discovery.start_waiting(live, now)
    return [message for message in live if message.pk not in waiting], len(claimed)


def claim_discoveries(
    now: datetime, per_carrier: int, busy: Sequence[int] = (), room: int = leases.ROOM
) -> list[Discovery]:
    """Claim discoveries whose DDM is due. A discovery that no message waits for any more is closed unsent."""
    with transaction.atomic():
        claimed = leases.claim(Discovery, now, per_carrier, busy, room)
        expired = [found.pk for found in claimed if found.expires_at <= now]
        if expired:
            Discovery.objects.filter(pk__in=expired).update(status=Status.FAILED, due_at=None)
    return [found for found in claimed if found.expires_at > now]
