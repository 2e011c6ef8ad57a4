"""Messages in doubt after an outage: all of one carrier and a time, resolved together by an operator's decision."""

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from mms.messages import transitions
from mms.models import Attempt, Carrier, Message, Status

BATCH = 200  # messages per transaction
MOST = 5_000  # messages per call, which an operator waits for


def submitted_between(carrier: Carrier, since: datetime, until: datetime) -> QuerySet[Message]:
    """Return the messages in doubt of the carrier whose last submit started in [since, until)."""
    # With due_at as in the partial index, so that the query reads the rows in doubt only.
    doubtful = Message.objects.filter(carrier=carrier, status=Status.IN_DOUBT, due_at__isnull=False)
    last = Attempt.objects.filter(message=OuterRef("pk"), try_number=OuterRef("tries"))
    return doubtful.filter(Exists(last.filter(started_at__gte=since, started_at__lt=until)))


def resolve(found: QuerySet[Message], *, sent: bool, by: str, now: datetime) -> int:
    """Resolve up to MOST of the messages, in batches. Return their number; see transitions.resolve_in_doubt.

    Each is resolved once: in the order of their keys, so that one that is sent again and in doubt again stays so.
    """
    resolved, last = 0, 0
    while resolved < MOST:
        batch = list(found.filter(pk__gt=last).select_related("account", "carrier").order_by("pk")[:BATCH])
        if not batch:
            break
        resolved += transitions.resolve_in_doubt(batch, sent=sent, by=by, now=now)
        last = batch[-1].pk
    return resolved
