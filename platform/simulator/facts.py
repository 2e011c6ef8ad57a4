"""What the log says of a message and of the number that it went to."""

from dataclasses import asdict

from simulator.handset import picture_size
from simulator.log import Entry
from simulator.mime import Part
from simulator.numbers import Subscriber
from simulator.submit import Submit


def of_message(submit: Submit) -> Entry:
    return {
        "number": submit.recipient,
        "sender": submit.sender,
        "subject": submit.subject,
        "transaction_id": submit.dialect.transaction_id,
        "ddm": submit.is_ddm,
        "bytes": submit.size,
        "parts": [of_part(part) for part in submit.parts],
        "presentation": asdict(submit.presentation),
    }


def of_part(part: Part) -> Entry:
    size = picture_size(part)
    facts = {"type": part.mime_type, "bytes": len(part.content), "name": part.name}
    return facts | ({"width": size[0], "height": size[1]} if size else {})


def of_subscriber(subscriber: Subscriber) -> Entry:
    return {
        "handset": subscriber.handset.name,
        "screen": subscriber.handset.screen,
        "identity": subscriber.handset.identity,
        "behaviour": subscriber.behaviour_digits,
        "story": subscriber.behaviour.story,
    }
