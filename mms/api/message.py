"""getMessage: what has become of a message."""

from billing.models import Account
from mms.api import fields
from mms.api.answers import Fields, success
from mms.api.errors import Refusal
from mms.api.nodes import Node
from mms.api.templates import written
from mms.models import Event, Message
from mms.tracking import key_of

# What concerns our workers and operators alone: the customer is told that it happened, not how.
INTERNAL = frozenset({"unprepared", "lost", "resolved"})


def get_message(request: Node, account: Account) -> Fields:
    """Where the message is, and the timeline of how it came there. Raises Refusal."""
    message = _message(request, account)
    return success(
        tracking_id=message.tracking_id,
        mms_id=str(message.template_id),
        to=message.number,
        **{"from": message.sender},
        message_status=message.status,
        sent_as="MMS" if message.submitted_at else "",
        handset=str(message.handset or ""),
        client_reference=message.client_reference,
        event=[_event(event) for event in message.events.all()],
    )


def _message(request: Node, account: Account) -> Message:
    tracking_id, name = fields.once(request, "tracking_id"), request.called("tracking_id")
    if not tracking_id:
        raise Refusal("E100", f"{name} is missing")
    found = Message.objects.filter(account=account, pk=key_of(tracking_id) or 0).select_related("handset").first()
    if found is None:
        raise Refusal("E100", f"There is no {name} {tracking_id[:40]} in this account")
    return found


def _event(event: Event) -> Fields:
    details = "" if event.kind in INTERNAL else event.text
    return {"timestamp": written(event.at), "type": event.kind, "status_details": details}
