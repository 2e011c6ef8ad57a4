"""sendMMS: saveMMS and sendSavedMMS in one."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from django.utils import timezone

from billing.models import Account, ApiKey
from mms.api import dry_run, fallback, fields, idempotency, save, slides
from mms.api.answers import Fields
from mms.api.nodes import Node
from mms.api.send_saved import Found, accepted, order, queued
from mms.content import store
from mms.content.store import Files, NewSlide
from mms.encoding import queue
from mms.messages.request import SendRequest
from mms.models import Message, Template
from mms.runtime import wakeup


def send_mms(request: Node, key: ApiKey) -> Fields:
    """Stores the content, accepts the message, and answers with mms-id and tracking id. Raises Refusal.

    Every parameter is checked before anything is fetched.
    """
    if fields.flag(request, "dry_run"):
        wanted, new = _checked(request, key)
        return store.with_files(new, lambda files: dry_run.foreseen(lambda: _sent(request, wanted, new, files)))
    mark = idempotency.mark(request, key.account)
    answer = idempotency.first_answer(mark)
    if answer is None:
        wanted, new = _checked(request, key)
        answer = store.with_files(
            new, lambda files: idempotency.once(mark, lambda: queued(_sent(request, wanted, new, files)))
        )
        wakeup.ring(wakeup.ENCODE)
        wakeup.ring(wakeup.WORK)
    return answer


def _checked(request: Node, key: ApiKey) -> tuple[SendRequest, list[NewSlide]]:
    """The order, and the content that it is to be of, fetched."""
    wanted = order(request, key, _draft)
    return wanted, slides.fetched(slides.wanted(request), key.account)


def _draft(request: Node, account: Account) -> Found:
    """The template that the request describes, not stored."""
    name = save.name(request)
    subject = fields.template_subject(request)
    wanted = slides.wanted(request)
    return Found(
        Template(account=account, name=name, subject=subject, disable_fallback_sms=account.fallback_disabled),
        {slide.position: slide.text for slide in wanted},
        {slide.position for slide in wanted if slide.media},
        {slide.position: slide.areas for slide in wanted},
    )


def _sent(request: Node, order: SendRequest, new: Sequence[NewSlide], files: Files) -> Message:
    """Content and message, both or neither. The message waits for the content's audio and video to be encoded."""
    draft = order.template
    # The content can be sent again later: what was said of its fallback counts then, too.
    defaults = asdict(fallback.given(request, draft))
    template = Template(account=order.account, name=draft.name, subject=draft.subject, **defaults)
    with store.creating(template, new, files, queue.conclude, timezone.now()):
        return accepted(request, replace(order, template=template))
