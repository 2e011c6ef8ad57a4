"""The fallback SMS for a message that cannot be sent as an MMS: from the request, else as stored with the content."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from billing.models import Account
from mms.api import parameters
from mms.api.errors import Refusal
from mms.api.request_tree import Node
from mms.models import Template


@dataclass(frozen=True, slots=True)
class Fallback:
    """The fallback of a message; its fields are named like those of Template and Message."""

    fallback_text: str
    disable_fallback_sms: bool
    disable_fallback_sms_link: bool
    fallback_sms_link_expiration: datetime | None

    @property
    def sent_text(self) -> str:
        """The text, or "" if the fallback is disabled."""
        return "" if self.disable_fallback_sms else self.fallback_text


def parse(request: Node, default: Template) -> Fallback:
    """Return the fallback in the request, with `default` for missing parameters. Raises Refusal."""
    return Fallback(
        parameters.long_text(request, "fallback_sms_text") or default.fallback_text,
        parameters.flag(request, "disable_fallback_sms", default=default.disable_fallback_sms),
        parameters.flag(request, "disable_fallback_sms_link", default=default.disable_fallback_sms_link),
        parameters.future_timestamp(request, "fallback_sms_link_expiration", parameters.LINK_EXPIRATION_MAX)
        or default.fallback_sms_link_expiration,
    )


def for_message(request: Node, account: Account, template: Template) -> Fallback:
    """Return the fallback of a message. Raises Refusal, also for a missing text or an expired link."""
    found = parse(request, template)
    if found.disable_fallback_sms:
        return found
    if account.fallback_text_required and not found.fallback_text:
        name = request.name_of("fallback_sms_text")
        raise Refusal("E622", f"{name} is missing; this account requires it")
    expiration = found.fallback_sms_link_expiration
    if expiration and expiration <= timezone.now() and not found.disable_fallback_sms_link:
        name, content = request.name_of("fallback_sms_link_expiration"), request.name_of("mms_id")
        raise Refusal("E100", f"The {name} saved with {content} {template.pk} has passed; specify a new one")
    return found
