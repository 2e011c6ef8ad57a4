"""deleteMMSID: deletes stored content."""

from django.utils import timezone

from billing.models import ApiKey
from mms import doorbell, removal
from mms.api import fields
from mms.api.answers import Fields, success
from mms.api.nodes import Node


def delete_mms(request: Node, key: ApiKey) -> Fields:
    """Deletes the content at once; messages on their way still finish. Raises Refusal."""
    template = fields.template(request, key.account)
    if not removal.delete(template, timezone.now()):
        raise fields.no_template(request, str(template.pk))
    doorbell.ring(doorbell.WORK)  # for the files
    return success(mms_id=str(template.pk))
