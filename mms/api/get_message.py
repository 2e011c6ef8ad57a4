"""The getMessage action: returns the status and the timeline of a message."""

from billing.models import ApiKey
from mms.api import parameters
from mms.api.answers import Fields, format_timestamp, success
from mms.api.request_tree import Node
from mms.models import Event

# Events whose details are for operators only: the customer sees the event without its text.
INTERNAL_EVENTS = frozenset({"unprepared", "put-off", "lost", "resolved"})


def get_message(request: Node, key: ApiKey) -> Fields:
    """Return the status of the message and its timeline. Raises Refusal."""
    message = parameters.message(request, key.account)
    return success(
        tracking_id=message.tracking_id,
        mms_id=str(message.template_id),
        to=message.number,
        **{"from": message.sender},
        message_status=message.status,
        sent_as="MMS" if message.submitted_at else "",
        handset=str(message.handset or ""),
        profile=message.profile_used,
        client_reference=message.client_reference,
        event=[_event(event) for event in message.events.all()],
    )


def _event(event: Event) -> Fields:
    details = "" if event.kind in INTERNAL_EVENTS else event.text
    return {"timestamp": format_timestamp(event.at), "type": event.kind, "status_details": details}
