"""replayPostbacks: notifications once more, of one message or all that were given up since a moment."""

from django.db.models import QuerySet
from django.utils import timezone

from billing.models import Account
from mms import doorbell
from mms.api import fields
from mms.api.answers import Fields, success
from mms.api.errors import Refusal
from mms.api.nodes import Node
from mms.models import Postback
from mms.postbacks import outbox


def replay_postbacks(request: Node, account: Account) -> Fields:
    """Makes them due again and answers with how many they are. Raises Refusal."""
    replayed = outbox.replay(chosen(request, account), timezone.now())
    doorbell.ring(doorbell.NOTIFY)
    return success(
        tracking_id=fields.once(request, "tracking_id"),
        replayed=str(replayed),
        status_details=f"Postbacks that are sent again: {replayed}",
    )


def chosen(request: Node, account: Account) -> QuerySet[Postback]:
    """The postbacks that the request names: of a message all, of a stretch of time those that were given up."""
    tracking_id = fields.once(request, "tracking_id")
    since, until = fields.moment(request, "since"), fields.moment(request, "until")
    if bool(tracking_id) == bool(since):
        raise Refusal("E100", f"Give either {request.called('tracking_id')} or {request.called('since')}")
    if since is None:
        return outbox.of_message(fields.message(request, account))
    if until and until <= since:
        raise Refusal("E100", f"{request.called('until')} must be later than {request.called('since')}")
    return outbox.failed(account, since, until)
