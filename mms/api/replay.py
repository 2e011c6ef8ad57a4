"""replayPostbacks: notifications once more, of one message or all that were given up since a moment."""

from contextlib import suppress
from datetime import UTC, datetime

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
    since, until = moment(request, "since"), moment(request, "until")
    if bool(tracking_id) == bool(since):
        raise Refusal("E100", f"Give either {request.called('tracking_id')} or {request.called('since')}")
    if since is None:
        return outbox.of_message(fields.message(request, account))
    if until and until <= since:
        raise Refusal("E100", f"{request.called('until')} must be later than {request.called('since')}")
    return outbox.failed(account, since, until)


def moment(request: Node, name: str) -> datetime | None:
    """A moment in ISO 8601, as UTC; None where it is missing. Raises Refusal where it is malformed or has no offset."""
    text = fields.once(request, name)
    if not text:
        return None
    # OverflowError: what lies beyond the years 1 to 9999, once it is UTC.
    with suppress(ValueError, OverflowError):
        given = datetime.fromisoformat(text)
        if given.tzinfo is not None:
            return given.astimezone(UTC)
    raise Refusal("E100", f"{request.called(name)} must be ISO 8601 with an offset, such as 2026-11-22T12:00:00+00:00")
