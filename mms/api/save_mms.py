"""The saveMMS action: fetches and stores content, and returns its mms-id."""

from dataclasses import asdict

from django.utils import timezone

from billing.models import ApiKey
from mms.api import fallback_sms, parameters, slides
from mms.api.answers import Fields, success
from mms.api.errors import Refusal
from mms.api.request_tree import Node
from mms.content import store
from mms.encoding import queue
from mms.models import Template
from mms.runtime import wakeup

NAME_MAX = 200
STORED = "MMS content stored"
TO_ENCODE = "MMS content stored; it can be sent once its audio and video are encoded (N003)"


def save_mms(request: Node, key: ApiKey) -> Fields:
    """Store the content and return its mms-id. Raises Refusal."""
    account = key.account
    defaults = fallback_sms.parse(request, Template(disable_fallback_sms=account.fallback_disabled))
    parameters.check_merge_tags(defaults.fallback_text, request.name_of("fallback_sms_text"))
    template = Template(account=account, name=parse_name(request), subject=_subject(request), **asdict(defaults))
    requested = slides.parse(request)
    store.save_template(template, slides.fetch(requested, account), queue.conclude, timezone.now())
    must_encode = template.status == Template.Status.ENCODING
    if must_encode:
        wakeup.wake(wakeup.ENCODE)
    return success(mms_id=str(template.pk), status_details=TO_ENCODE if must_encode else STORED)


def parse_name(request: Node) -> str:
    """Return the name of the content. Raises Refusal."""
    found = parameters.text_of(request, "name", "E311")
    if not 1 <= len(found) <= NAME_MAX:
        raise Refusal("E311", f"{request.name_of('name')} must have 1 to {NAME_MAX} characters")
    return found


def _subject(request: Node) -> str:
    subject = parameters.template_subject(request)
    if not subject:
        raise Refusal("E314", f"{request.name_of('subject')} is missing")
    return subject
