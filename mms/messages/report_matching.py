"""Delivery reports: kept once each, matched to what we sent, now or later.

A report may overtake the answer to our submit, may come twice, late, or for a message whose answer we never saw.
It is matched by the MMSC's MessageID; where that is unknown, it is matched again on a ladder.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from django.db.models import Q, QuerySet

from base import bulk, sql
from handsets import cache
from handsets.models import CachedHandset
from mms.models import Attempt, Carrier, Discovery, Message, Report, Status
from mms.protocol.reports import DeliveryReport, ReportStatus

# When a report without a match is matched again, each after the one before; then it waits for an operator.
MATCH_LADDER = (
    timedelta(seconds=1),
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
)


# How long after its expiry something may still be reported, by an MMSC that could not reach us.
LATE = timedelta(days=1)
PERHAPS_TAKEN = (Attempt.Outcome.IN_DOUBT, Attempt.Outcome.SUBMITTED)


ATTEMPT = ("id", "message_id", "discovery_id", "carrier_id", "mmsc_id")  # in the order of the model
# Without the empty ones in so many words, PostgreSQL would not see that their index will do. The numbers are asked for
# one by one: joined, it could begin with all messages.
NAMED = f"""
SELECT {", ".join(ATTEMPT)}, COALESCE(
    (SELECT number FROM mms_message WHERE id = message_id), (SELECT number FROM mms_discovery WHERE id = discovery_id)
)
FROM mms_attempt WHERE carrier_id = ANY(%s) AND mmsc_id = ANY(%s) AND mmsc_id <> ''
ORDER BY id
"""  # noqa: S608 - made of constants

OF_NAMES = "WHERE carrier_id = ANY(%s) AND mmsc_id = ANY(%s) FOR UPDATE SKIP LOCKED"


@dataclass(frozen=True, slots=True)
class Named:
    """The attempt that an MMSC knows by a MessageID, and the number that it went to."""

    attempt: Attempt
    number: str


def record(said: Sequence[tuple[Carrier, DeliveryReport]], now: datetime) -> list[tuple[Report, bool]]:
    """Each report as it is kept, and whether it is new: no repetition. The caller holds the transaction."""
    named = _named((carrier.pk, report.message_id) for carrier, report in said)
    given = [_report(carrier, report, named.get((carrier.pk, report.message_id)), now) for carrier, report in said]
    # In one order for all: two that take the same reports would else each wait for the other.
    new = {id(report) for report in bulk.insert_new(sorted(given, key=_identity), *IDENTITY)}
    kept = {_identity(report): report for report in given if id(report) in new}
    kept |= _kept([report for report in given if _identity(report) not in kept])
    return [(kept[_identity(report)], id(report) in new) for report in given]


# What makes two reports the same report.
Identity: TypeAlias = tuple[int, str, str, str, str]
IDENTITY = ("carrier", "mmsc_id", "number", "status", "raw_status")


def _identity(report: Report) -> Identity:
    return report.carrier_id, report.mmsc_id, report.number, report.status, report.raw_status


def _report(carrier: Carrier, given: DeliveryReport, named: Named | None, now: datetime) -> Report:
    return Report(
        carrier=carrier,
        mmsc_id=given.message_id,
        number=_recipient(given, named),
        status=given.status,
        raw_status=given.raw_status[:200],
        text=given.text,
        identity=cache.identity_of(given.handset) or "",
        reported_at=given.reported_at,
        received_at=now,
        attempt=named.attempt if named else None,
        due_at=None if named else now + MATCH_LADDER[0],
    )


def _kept(repeated: Sequence[Report]) -> dict[Identity, Report]:
    """The first ones, of which these are repetitions."""
    if not repeated:
        return {}
    names = Q(mmsc_id__in={report.mmsc_id for report in repeated}, carrier__in={r.carrier_id for r in repeated})
    return {_identity(report): report for report in Report.objects.filter(names).select_related("attempt")}


def _named(names: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Named]:
    """By carrier and MessageID, the attempt that was answered with it: the last, should there be several."""
    wanted = {name for name in names if name[1]}
    if not wanted:
        return {}
    found = sql.rows(NAMED, _columns(wanted))
    attempts = ((Attempt.from_db(None, ATTEMPT, values), number) for *values, number in found)
    return {(attempt.carrier_id, attempt.mmsc_id): Named(attempt, number) for attempt, number in attempts}


def _columns(names: Iterable[tuple[int, str]]) -> list[list[int] | list[str]]:
    """The carriers, and the MessageIDs."""
    carriers, ids = zip(*names, strict=True)
    return [list(set(carriers)), list(ids)]


def _recipient(given: DeliveryReport, named: Named | None) -> str:
    """The number that the report is about; recipient and sender come swapped from some MMSCs."""
    addresses = [*given.recipients, *given.senders]
    if named and named.number in addresses:
        return named.number
    # A recipient of ours is a full international number; a sender is often a short code.
    return next((number for number in addresses if len(number) > 6), addresses[0] if addresses else "")[:30]


def learn(named: Iterable[tuple[Report, str | None]]) -> None:
    """Fills the handset cache from reports and the handsets that they name, whatever became of the messages.

    As of the moment when each first came: what was learned since is newer. A repetition may name what the first did
    not.
    """
    cache.saw_all(
        [
            cache.Sighting(report.number, identity, _source(report), report.received_at)
            for report, identity in named
            if identity and report.number
        ]
    )


def _source(report: Report) -> CachedHandset.Source:
    ddm = bool(report.attempt and report.attempt.discovery_id)
    return CachedHandset.Source.DDM_REPORT if ddm else CachedHandset.Source.DELIVERY_REPORT


def early(attempts: Sequence[Attempt]) -> list[Report]:
    """The reports that were here before the answers that these attempts just got, now matched to them."""
    named = {(attempt.carrier_id, attempt.mmsc_id): attempt for attempt in attempts if attempt.mmsc_id}
    if not named:
        return []
    of_names = sql.objects(Report, OF_NAMES, _columns(named))
    found = [r for r in of_names if r.attempt_id is None and (r.carrier_id, r.mmsc_id) in named]
    for report in found:
        report.attempt, report.due_at = named[report.carrier_id, report.mmsc_id], None
    bulk.update(found, "attempt", "due_at")
    return found


def match_again(now: datetime, limit: int) -> list[Report]:
    """Up to `limit` unmatched reports whose time has come, the longest due first, each now matched or put off.

    The caller holds the transaction.
    """
    due = Report.objects.select_for_update(skip_locked=True, of=("self",)).filter(due_at__lte=now)
    found = list(due.order_by("due_at")[:limit])
    named = _named((report.carrier_id, report.mmsc_id) for report in found)
    for report in found:
        match = named.get((report.carrier_id, report.mmsc_id))
        report.attempt = match.attempt if match else _searched(report)
        if report.attempt:
            report.due_at = None
        else:
            _later(report, now)
    bulk.update(found, "attempt", "due_at", "matches")
    return found


def _searched(report: Report) -> Attempt | None:
    """The attempt that the report is about, where none was known by its name just now."""
    # Asked in this order: what stops being sent after the first question is known by its name at the second.
    busy = _is_being_sent_to(report)
    name = report.carrier_id, report.mmsc_id
    if named := _named([name]).get(name):
        return named.attempt
    return None if busy else _attempt_without_name(report)


def _later(report: Report, now: datetime) -> None:
    report.matches += 1
    more = report.matches < len(MATCH_LADDER)
    report.due_at = now + MATCH_LADDER[report.matches] if more else None


def _is_being_sent_to(report: Report) -> bool:
    """Whether a message or DDM to the number is on its way, and may be what the report is about."""
    to_number = {"carrier": report.carrier_id, "number": report.number}
    return any(m._default_manager.filter(**to_number, status=Status.SENDING).exists() for m in (Message, Discovery))


def _attempt_without_name(report: Report) -> Attempt | None:
    """The attempt whose MessageID we were never told, where nothing is being sent to the report's number.

    It is the one that the report is about if no other message or DDM to the number can be: in doubt or taken without a
    name, also where we wait for its report no longer. The attempt takes the MessageID, so that later reports find it.
    """
    candidates = [*_nameless(report, "message"), *_nameless(report, "discovery")]
    if len(candidates) != 1:
        return None
    [attempt] = candidates
    # Another worker may give it to another report at this moment: it is that one's whose update finds no name.
    nameless = Attempt.objects.filter(pk=attempt.pk, mmsc_id="")
    return attempt if nameless.update(mmsc_id=report.mmsc_id) else None


def _nameless(report: Report, sent: str) -> QuerySet[Attempt]:
    """The submits of messages, or of DDMs, that the MMSC may have taken under a name that we do not know."""
    to_number = {f"{sent}__carrier": report.carrier_id, f"{sent}__number": report.number}
    may_report = {f"{sent}__expires_at__gt": report.received_at - LATE, "started_at__lte": report.received_at}
    return Attempt.objects.filter(**to_number, **may_report, outcome__in=PERHAPS_TAKEN, mmsc_id="")


# The status that a final report gives what was sent.
FINAL_STATUS = {
    ReportStatus.RETRIEVED: Status.DELIVERED,
    ReportStatus.EXPIRED: Status.EXPIRED,
    ReportStatus.REJECTED: Status.REJECTED,
}


def final_status(report: Report) -> Status | None:
    """The status that this report means, or None where the MMSC has not had its last word."""
    status = ReportStatus(report.status)
    return FINAL_STATUS.get(status, Status.FAILED) if status.is_final else None
