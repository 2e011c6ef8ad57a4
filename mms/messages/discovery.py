"""Device discovery: start the wait of a message for the report of a DDM, and end it.

| handset cache | DDM text given | forced | what happens                                 |
|---------------|----------------|--------|----------------------------------------------|
| known         | any            | no     | no DDM; adapted to the handset, sent at once |
| any           | yes            | yes    | DDM, wait, then send                         |
| unknown       | yes            | no     | DDM, wait, then send                         |
| unknown       | no             | no     | sent with the generic profile at once        |
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet, prefetch_related_objects

from billing import blocklist
from handsets import cache
from mms.messages import report_matching, timeline
from mms.messages.timeline import Entry
from mms.models import Discovery, Event, Message, Report, Status
from mms.postbacks import notices
from mms.postbacks.notices import Notice

DEFAULT_SUBJECT = "Device Discovery"
# The statuses of messages with a discovery in which nothing has been charged or released yet.
UNCHARGED = (Status.ACCEPTED, Status.DISCOVERING, Status.SENDING, Status.IN_DOUBT)

# One open discovery per number: later messages join it, and may extend it but never shorten it.
OPEN_OR_JOIN = """
INSERT INTO mms_discovery AS d
    (number, sender, carrier_id, account_id, message, subject, text, status, due_at, expires_at, created_at, tries,
     losses)
VALUES (%(number)s, %(sender)s, %(carrier)s, %(account)s, %(message)s, %(subject)s, %(text)s,
        'accepted', %(now)s, %(deadline)s, %(now)s, 0, 0)
ON CONFLICT (number) WHERE due_at IS NOT NULL DO UPDATE SET
    expires_at = GREATEST(d.expires_at, excluded.expires_at),
    due_at = CASE WHEN d.status IN ('submitted', 'in_doubt')
                  THEN GREATEST(d.due_at, excluded.expires_at) ELSE d.due_at END
RETURNING id, status, xmax = 0
"""


@dataclass(frozen=True, slots=True)
class Joined:
    """The discovery that a message has joined, its status, and whether this message opened it."""

    discovery: int
    status: str
    opened: bool


def needed(message: Message, known: bool) -> bool:
    """Return whether the message must wait for a discovery, by the table above. A message waits once at most."""
    if message.discovery_id is not None or not message.ddm_text:
        return False
    return message.ddm_force or not known


def start_waiting(messages: Collection[Message], now: datetime) -> set[int]:
    """Start the wait of those claimed messages that need a discovery. Return their keys.

    The caller holds the transaction and the leases of the messages, but no locks on their rows: a discovery is always
    locked before its messages.
    """
    possible = [message for message in messages if needed(message, known=False)]
    known = cache.find_known_numbers({message.number for message in possible}, now)
    candidates = [message for message in possible if needed(message, message.number in known)]
    waiting: set[int] = set()
    # In LOCK_ORDER, to avoid deadlocks.
    for message in sorted(candidates, key=lambda m: (m.number, m.pk)):
        joined = _open_or_join(message, now)
        # Look again: a report that arrived while we waited for the lock on the discovery has filled the cache.
        known_now = cache.find_known_numbers([message.number], now)
        if needed(message, known=bool(known_now)) and _wait(message, joined, now):
            waiting.add(message.pk)
        elif joined.opened:
            Discovery.objects.filter(pk=joined.discovery).delete()
    return waiting


def _open_or_join(message: Message, now: datetime) -> Joined:
    values: dict[str, Any] = {
        "number": message.number,
        "sender": message.sender,
        "carrier": message.carrier_id,
        "account": message.account_id,
        "message": message.pk,
        "subject": message.ddm_subject or DEFAULT_SUBJECT,
        "text": message.ddm_text,
        "now": now,
        "deadline": _deadline(message, now),
    }
    with connection.cursor() as cursor:
        cursor.execute(OPEN_OR_JOIN, values)
        return Joined(*cursor.fetchone())


def _deadline(message: Message, now: datetime) -> datetime:
    return min(now + timedelta(minutes=message.ddm_timeout), message.expires_at)


def _wait(message: Message, joined: Joined, now: datetime) -> bool:
    """Start the wait of the message if it is still under its lease. Return whether it waits."""
    held = Message.objects.filter(pk=message.pk, status=Status.SENDING, due_at=message.due_at)
    deadline = _deadline(message, now)
    # The object keeps its lease, so that the step can be repeated after it was rolled back.
    if not held.update(status=Status.DISCOVERING, due_at=deadline, discovery=joined.discovery):
        return False
    text = "waits for a discovery" if joined.opened else "joins the open discovery"
    timeline.write([Entry(message, "discovering", f"{text} until {deadline:%H:%M:%S}")], now)
    if joined.status == Status.SUBMITTED:
        timeline.write([_sent_entry(message, shared=True)], now)
    return True


def _sent_entry(message: Message, *, shared: bool) -> Entry:
    details = "shares the DDM of an earlier message" if shared else ""
    notice = Notice("N501", notices.MESSAGE_SENT, details)
    return Entry(message, "ddm-sent", details or "the MMSC accepted the DDM", notice)


def record_ddm_submitted(discovery: Discovery, now: datetime) -> None:
    """Record that the MMSC accepted the DDM: N501 for every waiting message, and one message pays for it."""
    uncharged = list(_lock_messages(discovery).filter(status__in=UNCHARGED))
    payer = _payer(discovery, uncharged)
    Message.objects.filter(pk__in=[payer] if payer else []).update(pays_ddm=True)
    waiting = [message for message in uncharged if message.status == Status.DISCOVERING]
    timeline.write((_sent_entry(m, shared=m.pk != payer) for m in waiting), now)


def _payer(discovery: Discovery, uncharged: Sequence[Message]) -> int | None:
    """Return the message that pays for the DDM: the one that opened the discovery, whether or not it still waits.

    If that one is charged already, another uncharged message of its account pays, or nobody: no other account does.
    """
    of_account = [message.pk for message in uncharged if message.account_id == discovery.account_id]
    return discovery.message if discovery.message in of_account else next(iter(of_account), None)


def hand_over(discovery: Discovery) -> bool:
    """Hand a discovery that was not sent over to the oldest waiting message whose account may send to the number.

    Return whether there is one. Its account pays, and the DDM is its own: sender, subject and text.
    """
    waiting = list(_lock_waiting(discovery))
    blocked = blocklist.blocked_pairs({(message.account_id, message.number) for message in waiting})()
    heir = next((message for message in waiting if (message.account_id, message.number) not in blocked), None)
    if heir is None:
        return False
    discovery.account, discovery.message = heir.account, heir.pk
    discovery.sender, discovery.text = heir.sender, heir.ddm_text
    discovery.subject = heir.ddm_subject or DEFAULT_SUBJECT
    discovery.save(update_fields=["account", "message", "sender", "subject", "text"])
    return True


def record_ddm_failed(discovery: Discovery, reason: str, now: datetime) -> None:
    """Record that the DDM could not be sent: E501 for every waiting message, which is due at once."""
    waiting = list(_lock_waiting(discovery))
    notice = Notice("E501", notices.MESSAGE_FAILED, reason)
    timeline.write((Entry(m, "ddm-failed", reason, notice) for m in waiting), now)
    _wake(waiting, now)


def lock(keys: Collection[int]) -> dict[int, Discovery]:
    """Lock these discoveries in LOCK_ORDER. Return them by primary key."""
    if not keys:
        return {}
    rows = Discovery.objects.select_for_update(no_key=True).filter(pk__in=keys)
    return {found.pk: found for found in rows.order_by("number", "pk")}


def message_keys(discoveries: Collection[int]) -> set[int]:
    """Return the keys of the messages that wait, or have waited, for one of these discoveries."""
    if not discoveries:
        return set()
    return set(Message.objects.filter(discovery__in=discoveries).values_list("pk", flat=True))


def apply_report(found: Discovery, report: Report, now: datetime) -> None:
    """Apply a report on the DDM. The first final one, even after the deadline, makes every waiting message due."""
    final = report_matching.final_status(report)
    if report_matching.confirms_submit(found, final):
        found.status = Status.SUBMITTED
        record_ddm_submitted(found, now)
    if final is not None and not found.answered_at:
        found.answered_at = now
        if found.status == Status.SUBMITTED:
            found.status, found.due_at = final, None
        _record_ddm_report(found, report, now)
    found.save(update_fields=["answered_at", "status", "due_at"])


def _record_ddm_report(discovery: Discovery, report: Report, now: datetime) -> None:
    """Record the final report, even after the deadline: N502 or E502, and every waiting message is due."""
    notified = list(_lock_notified(discovery))
    timeline.write((_report_entry(m, report) for m in notified), now)
    _wake([m for m in notified if m.status == Status.DISCOVERING], now)


def _report_entry(message: Message, report: Report) -> Entry:
    late = "" if message.status == Status.DISCOVERING else "after the wait for it had ended"
    status = notices.report_status_text(report.status)
    if status == notices.DELIVERED:
        notice = Notice("N502", status, late, handset=report.identity)
        return Entry(message, "ddm-delivered", " ".join(filter(None, [report.identity, late])), notice)
    return Entry(message, "ddm-undelivered", report.raw_status, Notice("E502", status, late))


def end_wait(messages: Collection[Message], now: datetime) -> None:
    """End the wait of messages at their deadline, with E501 for those whose DDM is not known to have been sent."""
    # Fetched by key: a join with so many messages could make PostgreSQL read the whole table of discoveries.
    prefetch_related_objects(list(messages), "discovery")
    notified = set(Event.objects.filter(message__in=messages, kind="ddm-sent").values_list("message", flat=True))
    timeline.write((_deadline_entry(message, message.pk in notified) for message in messages), now)
    _wake(messages, now)


def _deadline_entry(message: Message, notified: bool) -> Entry:
    if notified:
        return Entry(message, "deadline", "no report on the DDM in time")
    in_doubt = message.discovery is not None and message.discovery.status == Status.IN_DOUBT
    reason = "the MMSC never answered" if in_doubt else "the MMSC did not accept the DDM in time"
    return Entry(message, "ddm-failed", reason, Notice("E501", notices.MESSAGE_FAILED, reason))


def _lock_waiting(discovery: Discovery) -> QuerySet[Message]:
    """Lock the waiting messages, oldest first."""
    return _lock_messages(discovery).filter(status=Status.DISCOVERING)


def _lock_notified(discovery: Discovery) -> QuerySet[Message]:
    """Lock the messages for which N501 was written, waiting or not."""
    sent = Event.objects.filter(message=OuterRef("pk"), kind="ddm-sent")
    return _lock_messages(discovery).filter(Exists(sent))


def _lock_messages(discovery: Discovery) -> QuerySet[Message]:
    rows = Message.objects.select_for_update(no_key=True, of=("self",)).filter(discovery=discovery)
    return rows.select_related("carrier", "account").order_by("pk")


def _wake(messages: Collection[Message], now: datetime) -> None:
    keys = [message.pk for message in messages]
    Message.objects.filter(pk__in=keys, status=Status.DISCOVERING).update(status=Status.ACCEPTED, due_at=now)
