"""saveMMS: fetches and stores content, and answers with its mms-id."""

from dataclasses import asdict

from django.utils import timezone

from billing.models import ApiKey
from mms.api import fallback, fields, slides
from mms.api.answers import Fields, success
from mms.api.errors import Refusal
from mms.api.nodes import Node
from mms.content import store
from mms.encoding import queue
from mms.models import Template
from mms.runtime import wakeup

NAME_MAX = 200
STORED = "MMS content stored"
TO_ENCODE = "MMS content stored; it can be sent when its audio and video are encoded (N003)"


def save_mms(request: Node, key: ApiKey) -> Fields:
    """Stores the content and answers with its mms-id. Raises Refusal."""
    account = key.account
    defaults = fallback.given(request, Template(disable_fallback_sms=account.fallback_disabled))
    fields.check_tags(defaults.fallback_text, request.called("fallback_sms_text"))
    template = Template(account=account, name=name(request), subject=_subject(request), **asdict(defaults))
    wanted = slides.wanted(request)
    store.save(template, slides.fetched(wanted, account), queue.conclude, timezone.now())
    locked = template.status == Template.Status.ENCODING
    if locked:
        wakeup.ring(wakeup.ENCODE)
    return success(mms_id=str(template.pk), status_details=TO_ENCODE if locked else STORED)


def name(request: Node) -> str:
    found = fields.once(request, "name", "E311")
    if not 1 <= len(found) <= NAME_MAX:
        raise Refusal("E311", f"{request.called('name')} must have 1 to {NAME_MAX} characters")
    return found


def _subject(request: Node) -> str:
    subject = fields.template_subject(request)
    if not subject:
        raise Refusal("E314", f"{request.called('subject')} is missing")
    return subject
