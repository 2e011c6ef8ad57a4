"""Write timeline events and postbacks of messages, in the transaction of the step that they record."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from base import bulk
from mms.adaptation.attachments import is_left_out
from mms.models import Event, Message, Postback
from mms.postbacks.notices import Notice, message_fields


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a message. With a notice, the customer gets a postback."""

    message: Message
    kind: str
    text: str = ""
    notice: Notice | None = None
    details: dict[str, Any] = field(default_factory=dict)
    happened_at: datetime | None = None  # unless at the time of writing


def write(entries: Iterable[Entry], now: datetime) -> None:
    """Write the events and postbacks of these steps. The caller holds the transaction and locks on the messages.

    The locks keep the primary keys of one message's postbacks in the order of its steps.
    """
    entries = _with_left_out(list(entries))
    bulk.execute_insert([_event(entry, now) for entry in entries])
    bulk.execute_insert([_postback(e, e.notice, now) for e in entries if e.notice and e.message.account.postback_url])


def _with_left_out(entries: list[Entry]) -> list[Entry]:
    """Add to the N101 of accounts that ask for it which parts of the message were left out."""
    asked = [e for e in entries if e.notice and e.notice.code == "N101" and e.message.account.report_left_out]
    if not asked:
        return entries
    adapted = Event.objects.filter(message__in=[entry.message.pk for entry in asked], kind="adapted").order_by("pk")
    changes = dict(adapted.values_list("message", "details__changes"))  # of the last adaptation
    return [_tell(entry, changes.get(entry.message.pk) or []) if entry in asked else entry for entry in entries]


def _tell(entry: Entry, changes: list[str]) -> Entry:
    given = [entry.notice.details] if entry.notice and entry.notice.details else []
    details = "; ".join([*given, *filter(is_left_out, changes)])
    return replace(entry, notice=entry.notice and replace(entry.notice, details=details))


def _event(entry: Entry, now: datetime) -> Event:
    at = entry.happened_at or now
    return Event(message_id=entry.message.pk, at=at, kind=entry.kind, text=entry.text, details=entry.details)


def _postback(entry: Entry, notice: Notice, now: datetime) -> Postback:
    message = entry.message
    return Postback(
        account_id=message.account_id,
        message_id=message.pk,
        code=notice.code,
        fields=message_fields(notice, message, entry.happened_at or now),
        dialect=message.account.postback_dialect,
        due_at=now,
        created_at=now,
    )
