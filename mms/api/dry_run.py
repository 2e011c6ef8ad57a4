"""The dry-run parameter: previews a send by accepting the request and rolling the transaction back."""

from collections.abc import Callable, Iterator
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from billing.amounts import format_decimal
from billing.models import Account
from handsets import cache, profiles
from handsets.models import CachedHandset
from mms.adaptation import text_drawing
from mms.adaptation.attachments import is_left_out
from mms.adaptation.plan import CannotFit, Keep, Plan, Resize
from mms.api.accept_alone import accept_alone
from mms.api.answers import Fields
from mms.messages import discovery
from mms.models import Message, Rendition, Status, Template
from mms.rendering import compose

VALID = "The request is valid; nothing was sent, charged or stored"


def preview(account: Account, accept: Callable[[], Message]) -> Fields:
    """Return a preview of the message that `accept` stores, and roll everything back. Raises Refusal."""

    def previewed() -> Fields:
        with transaction.atomic():
            answer = _preview(accept(), timezone.now())
            transaction.set_rollback(True)
        return answer

    return accept_alone(account, previewed)


def _preview(message: Message, now: datetime) -> Fields:
    cached = cache.find_entry(message.number, now)
    message.handset = cached.handset if cached else None
    ddm = discovery.needed(message, known=cached is not None)
    planned = _planned(message)
    return {
        "status": "Success",
        "mms_id": str(message.template_id),
        "to": message.number,
        "from": message.sender,
        "status_details": _details(planned),
        **_route(message, planned),
        **_handset(cached, now),
        "ddm": ddm,
        "rendition": list(_renditions(planned)) if isinstance(planned, Plan) else [],
        "text_area": list(_areas(planned)) if isinstance(planned, Plan) else [],
        "price": format_decimal(_price(message, planned, ddm=ddm)),
        "reserved": format_decimal(message.reserved),
        "postbacks": " ".join(_postbacks(message, planned, ddm=ddm)),
    }


def _planned(message: Message) -> Plan | CannotFit | None:
    """Return how the content would be adapted, or None while its audio and video are not encoded yet."""
    if message.template.status == Template.Status.ENCODING:
        return None
    return compose.plan_message(message, compose.load_slides(message))


def _details(planned: Plan | CannotFit | None) -> str:
    if planned is None:
        return f"{VALID}. Its audio and video must be encoded before their size is known"
    if isinstance(planned, CannotFit):
        return f"{VALID}. It would fail: {planned.reason}"
    left_out = "; ".join(filter(is_left_out, planned.changes))
    return f"{VALID}. {left_out}" if left_out else VALID


def _route(message: Message, planned: Plan | CannotFit | None) -> Fields:
    return {
        "route": "none" if isinstance(planned, CannotFit) else "MMS",
        "operator_id": str(message.carrier.operator_id),
        "carrier": message.carrier.name,
    }


def _handset(cached: CachedHandset | None, now: datetime) -> Fields:
    """Return the cached handset of the number, the seconds since it was last seen, and the profile that holds now."""
    if cached is None:
        return {"profile": profiles.describe(None)}
    age = int((now - cached.last_seen).total_seconds())
    return {
        "handset": cached.handset.identity,
        "handset_age": age,
        "profile": profiles.describe(cached.handset),
    }


def _renditions(planned: Plan) -> Iterator[Fields]:
    """Yield the files that exist already: unchanged originals, and cached renditions."""
    for position, slide in enumerate(planned.slides, 1):
        for image in slide.images:
            found = image.source if isinstance(image, Keep) else _existing(image)
            if found:
                yield {"slide": position, "type": found.mime_type, "bytes": found.size}
        for chosen in slide.attachments:
            yield {"slide": position, "type": chosen.variant.mime_type, "bytes": chosen.variant.size}


def _existing(image: Resize) -> Rendition | None:
    if image.areas:  # rendered for each message
        return None
    return Rendition.objects.filter(medium__sha256=image.source.sha256, recipe=image.recipe.key).first()


def _areas(planned: Plan) -> Iterator[Fields]:
    """Yield the texts to draw onto pictures, with their font size in pixels of the original picture."""
    for position, slide in enumerate(planned.slides, 1):
        for image in slide.images:
            for area in image.areas if isinstance(image, Resize) else ():
                size = f"{text_drawing.lay_out(area).font_size:g}"
                yield {"slide": position, "text": area.text, "font_size": size}


def _price(message: Message, planned: Plan | CannotFit | None, *, ddm: bool) -> int:
    """Return the final charge in micro-units; a message that cannot be sent costs only its DDM."""
    content = 0 if isinstance(planned, CannotFit) else message.price_mms
    return content + (message.price_ddm if ddm else 0)


def _postbacks(message: Message, planned: Plan | CannotFit | None, *, ddm: bool) -> Iterator[str]:
    """Yield the codes of the postbacks in order, assuming that every step succeeds."""
    if not message.account.postback_url:
        return
    if message.status == Status.ENCODING:
        yield "N013"
    if ddm:
        yield from ("N501", "N502")
    yield from ("E101",) if isinstance(planned, CannotFit) else ("N101", "N102")
