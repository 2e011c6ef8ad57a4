"""getMessage: what has become of a message."""

from billing.models import ApiKey
from mms.api import parameters
from mms.api.answers import Fields, success
from mms.api.get_mms_templates import format_timestamp
from mms.api.request_tree import Node
from mms.models import Event

# What concerns our workers and operators alone: the customer is told that it happened, not how.
INTERNAL = frozenset({"unprepared", "put-off", "lost", "resolved"})


def get_message(request: Node, key: ApiKey) -> Fields:
    """Where the message is, and the timeline of how it came there. Raises Refusal."""
    message = parameters.message(request, key.account)
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


def _event(event: Event) -> Fields:
    details = "" if event.kind in INTERNAL else event.text
    return {"timestamp": format_timestamp(event.at), "type": event.kind, "status_details": details}
