"""sendMMS: saveMMS and sendSavedMMS in one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.utils import timezone

from billing.models import Account
from mms import content, doorbell
from mms.api import fields, save, slides
from mms.api.answers import Fields
from mms.api.nodes import Node
from mms.api.send_saved import accepted, answer, order
from mms.content import NewSlide
from mms.models import Message, Template
from mms.order import Order


def send_mms(request: Node, account: Account) -> Fields:
    """Stores the content, accepts the message, and answers with mms-id and tracking id. Raises Refusal.

    Every parameter is checked before anything is fetched.
    """
    checked = order(request, account, _draft)
    message = _sent(request, checked, slides.fetched(slides.wanted(request), account))
    doorbell.ring(doorbell.ENCODE if message.template.status == Template.Status.ENCODING else doorbell.WORK)
    return answer(message)


def _draft(request: Node, account: Account) -> tuple[Template, Mapping[int, str]]:
    """The template that the request describes, not stored, with the text of each slide."""
    name = save.name(request)
    subject = fields.checked_subject(fields.once(request, "subject", "E314"), request.called("subject"))
    texts = {slide.position: slide.text for slide in slides.wanted(request)}
    return Template(account=account, name=name, subject=subject), texts


def _sent(request: Node, order: Order, new: Sequence[NewSlide]) -> Message:
    """Content and message, both or neither. The message waits for the content's audio and video to be encoded."""
    draft = order.template

    def send(template: Template) -> Message:
        return accepted(request, replace(order, template=template))

    return content.save_and(send, order.account, draft.name, draft.subject, new, timezone.now())
