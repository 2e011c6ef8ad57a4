"""The deleteMMSID action: deletes stored content."""

from django.utils import timezone

from base.stale_cache import Freshness
from billing.models import ApiKey
from mms.api import parameters
from mms.api.answers import Fields, success
from mms.api.request_tree import Node
from mms.content import deletion
from mms.runtime import wakeup


def delete_mms(request: Node, key: ApiKey) -> Fields:
    """Delete the content; messages already accepted are still sent. Raises Refusal."""
    template = parameters.template(request, key.account, Freshness.CURRENT)
    if not deletion.delete_template(template, timezone.now()):
        raise parameters.unknown_template(request, str(template.pk))
    wakeup.wake(wakeup.WORK)  # to delete the files
    return success(mms_id=str(template.pk))
