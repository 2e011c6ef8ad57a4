"""The replayPostbacks action: sends postbacks again, by event, by message or by the period in which they failed."""

from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from billing.models import Account, ApiKey
from mms.api import parameters
from mms.api.answers import Fields, success
from mms.api.errors import Refusal
from mms.api.request_tree import Node
from mms.models import Postback
from mms.postbacks import outbox
from mms.runtime import wakeup


def replay_postbacks(request: Node, key: ApiKey) -> Fields:
    """Make the selected postbacks due again and return their number. Raises Refusal."""
    replayed = outbox.replay(select_postbacks(request, key.account), timezone.now())
    wakeup.wake(wakeup.NOTIFY)
    return success(
        tracking_id=parameters.text_of(request, "tracking_id"),
        replayed=replayed,
        status_details=f"Postbacks to be sent again: {replayed}",
    )


def select_postbacks(request: Node, account: Account) -> QuerySet[Postback]:
    """Return the postbacks that the request selects: one, all of a message, or all given up in a period."""
    event_id, tracking_id = parameters.text_of(request, "event_id"), parameters.text_of(request, "tracking_id")
    since, until = parameters.timestamp(request, "since"), parameters.timestamp(request, "until")
    if until and not since:
        raise Refusal("E100", f"{request.name_of('until')} requires {request.name_of('since')}")
    if [bool(event_id), bool(tracking_id), bool(since)].count(True) != 1:
        event, message, start = map(request.name_of, ("event_id", "tracking_id", "since"))
        raise Refusal("E100", f"Specify exactly one of {event}, {message} and {start}")
    if since:
        return _given_up(request, account, since, until)
    return _event(request, account, event_id) if event_id else outbox.for_message(parameters.message(request, account))


def _given_up(request: Node, account: Account, since: datetime, until: datetime | None) -> QuerySet[Postback]:
    if until and until <= since:
        raise Refusal("E100", f"{request.name_of('until')} must be later than {request.name_of('since')}")
    return outbox.given_up_between(account, since, until)


def _event(request: Node, account: Account, event_id: str) -> QuerySet[Postback]:
    """Return the postback with this X-MMS-Event-Id."""
    found = Postback.objects.filter(account=account, pk=parameters.parse_integer(event_id, 1, parameters.ID_MAX) or 0)
    if not found.exists():
        raise Refusal("E100", f"There is no {request.name_of('event_id')} {event_id[:20]} in this account")
    return found
