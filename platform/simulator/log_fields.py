"""Fields of the log entries: the submitted message, its parts and its subscriber."""

from dataclasses import asdict

from simulator.handset import picture_size
from simulator.log import Entry
from simulator.mime import Part
from simulator.numbers import Subscriber
from simulator.submit import Submit


def submit_fields(submit: Submit) -> Entry:
    """Return the log fields of a submitted message."""
    return {
        "number": submit.recipient,
        "sender": submit.sender,
        "subject": submit.subject,
        "transaction_id": submit.context.transaction_id,
        "ddm": submit.is_ddm,
        "bytes": submit.size,
        "parts": [part_fields(part) for part in submit.parts],
        "presentation": asdict(submit.presentation),
    }


def part_fields(part: Part) -> Entry:
    """Return the log fields of one part; width and height only for a picture."""
    size = picture_size(part)
    fields = {"type": part.mime_type, "bytes": len(part.content), "name": part.name}
    return fields | ({"width": size[0], "height": size[1]} if size else {})


def subscriber_fields(subscriber: Subscriber) -> Entry:
    """Return the log fields of a number's handset and behaviour."""
    return {
        "handset": subscriber.handset.name,
        "screen": subscriber.handset.screen,
        "identity": subscriber.handset.identity,
        "behaviour": subscriber.behaviour_digits,
        "description": subscriber.behaviour.description,
    }
