"""The sendMMS action: stores content and accepts a message that sends it, in one request."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from django.utils import timezone

from base.stale_cache import Freshness
from billing.models import Account, ApiKey
from mms.api import dry_run, fallback_sms, idempotency, object_types, parameters, save_mms, send_parameters, slides
from mms.api.answers import Fields
from mms.api.request_tree import Node
from mms.api.send_parameters import Content
from mms.api.send_saved_mms import accept_one, queued_answer
from mms.content import deletion, store
from mms.content.store import Files, NewSlide
from mms.encoding import queue
from mms.messages.request import SendRequest
from mms.models import Message, Template
from mms.runtime import wakeup


def send_mms(request: Node, key: ApiKey) -> Fields:
    """Store the content, accept the message, and return mms-id and tracking ID. Raises Refusal.

    Every parameter is checked before any file is fetched.
    """
    account = key.account
    if parameters.flag(request, "dry_run"):
        draft, new = _check(request, key)
        return store.with_stored_files(
            new, lambda files: dry_run.preview(account, lambda: _store(request, draft, new, files))
        )
    identity = idempotency.identify(request, account)
    answer = idempotency.stored_answer(identity)
    if answer is None:
        draft, new = _check(request, key)
        answer = store.with_stored_files(
            new,
            lambda files: idempotency.answer_once(
                identity, account, lambda: queued_answer(_store(request, draft, new, files))
            ),
        )
        wakeup.wake(wakeup.ENCODE)
        wakeup.wake(wakeup.WORK)
    return answer


def _check(request: Node, key: ApiKey) -> tuple[SendRequest, list[NewSlide]]:
    """Return the send request, whose template is not stored yet, and the slides with their files fetched."""
    draft = send_parameters.parse(request, key, Freshness.CURRENT, _draft_content)
    new = slides.fetch(slides.parse(request), key.account)
    if not any([*draft.texts.values(), *(slide.text for slide in new)]):
        media = [medium.source for slide in new for medium in slide.media]
        object_types.check([(source.kind, source.mime_type) for source in media], Freshness.CURRENT)
    return draft, new


def _draft_content(request: Node, account: Account, _: Freshness) -> Content:
    """Return the content in the request, with a template that is not stored."""
    name = save_mms.parse_name(request)
    subject = parameters.template_subject(request)
    requested = slides.parse(request)
    return Content(
        Template(account=account, name=name, subject=subject, disable_fallback_sms=account.fallback_disabled),
        {slide.position: slide.text for slide in requested},
        {slide.position for slide in requested if slide.media},
        {slide.position: slide.areas for slide in requested},
    )


def _store(request: Node, draft: SendRequest, new: Sequence[NewSlide], files: Files) -> Message:
    """Store content and message in one transaction. The message waits until its audio and video are encoded."""
    draft_template = draft.template
    # The fallback of this request also applies when the content is sent again later.
    defaults = asdict(fallback_sms.parse(request, draft_template))
    now = timezone.now()
    template = Template(
        account=draft.account,
        name=draft_template.name,
        subject=draft_template.subject,
        due_at=now + deletion.KEPT_AFTER_LAST_MESSAGE,
        **defaults,
    )
    with store.creating_template(template, new, files, queue.conclude, now):
        return accept_one(request, replace(draft, template=template))
