"""Matching delivery reports: each is recorded once and matched to the attempt that it is about, now or later.

A report may arrive before the reply to our submit, twice, late, or for a message whose reply was lost. It is matched
by the MMSC's MessageID; while that is unknown, matching is retried on a ladder.
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

# Retry schedule of matching, each step after the one before; then the report waits for an operator.
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


# Reports of expired messages are matched for this long: the MMSC may not have reached us before.
LATE = timedelta(days=1)
PERHAPS_TAKEN = (Attempt.Outcome.IN_DOUBT, Attempt.Outcome.SUBMITTED)


ATTEMPT = ("id", "message_id", "discovery_id", "carrier_id", "mmsc_id")  # in the order of the model
# The condition `mmsc_id <> ''` lets PostgreSQL use the partial index. The numbers are subqueries: in a join, it could
# start with the whole table of messages.
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
    """The attempt that an MMSC knows by a MessageID, and the recipient's number."""

    attempt: Attempt
    number: str


def record(given: Sequence[tuple[Carrier, DeliveryReport]], now: datetime) -> list[tuple[Report, bool]]:
    """Record the reports. Return each as recorded, and whether it is new. The caller holds the transaction."""
    named = _attempts_by_name((carrier.pk, report.message_id) for carrier, report in given)
    reports = [_report(carrier, report, named.get((carrier.pk, report.message_id)), now) for carrier, report in given]
    # In one order for all: two workers that insert the same reports would otherwise wait for each other.
    new = {id(report) for report in bulk.insert_new(sorted(reports, key=_identity), *IDENTITY)}
    recorded = {_identity(report): report for report in reports if id(report) in new}
    recorded |= _first_ones([report for report in reports if _identity(report) not in recorded])
    return [(recorded[_identity(report)], id(report) in new) for report in reports]


# Two reports that agree in these are one report, repeated.
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
        identity=cache.parse_identity(given.handset) or "",
        reported_at=given.reported_at,
        received_at=now,
        attempt=named.attempt if named else None,
        due_at=None if named else now + MATCH_LADDER[0],
    )


def _first_ones(repeated: Sequence[Report]) -> dict[Identity, Report]:
    """Return the recorded reports that these ones repeat."""
    if not repeated:
        return {}
    names = Q(mmsc_id__in={report.mmsc_id for report in repeated}, carrier__in={r.carrier_id for r in repeated})
    return {_identity(report): report for report in Report.objects.filter(names).select_related("attempt")}


def _attempts_by_name(names: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Named]:
    """Return by carrier and MessageID the attempt that was answered with it, the last one if there are several."""
    wanted = {name for name in names if name[1]}
    if not wanted:
        return {}
    found = sql.rows(NAMED, _columns(wanted))
    attempts = ((Attempt.from_db(None, ATTEMPT, values), number) for *values, number in found)
    return {(attempt.carrier_id, attempt.mmsc_id): Named(attempt, number) for attempt, number in attempts}


def _columns(names: Iterable[tuple[int, str]]) -> list[list[int] | list[str]]:
    """Return the carriers and the MessageIDs as two lists."""
    carriers, ids = zip(*names, strict=True)
    return [list(set(carriers)), list(ids)]


def _recipient(given: DeliveryReport, named: Named | None) -> str:
    """Return the number that the report is about. Some MMSCs swap recipient and sender."""
    addresses = [*given.recipients, *given.senders]
    if named and named.number in addresses:
        return named.number
    # A recipient is a full international number, a sender often a short code.
    return next((number for number in addresses if len(number) > 6), addresses[0] if addresses else "")[:30]


def learn(named: Iterable[tuple[Report, str | None]]) -> None:
    """Fill the handset cache from reports and the handset that each names, whatever became of the messages.

    Entries are dated by the first arrival of the report. A repeated report may name a handset that the first did not.
    """
    cache.record_sightings(
        [
            cache.Sighting(report.number, identity, _source(report), report.received_at)
            for report, identity in named
            if identity and report.number
        ]
    )


def _source(report: Report) -> CachedHandset.Source:
    ddm = bool(report.attempt and report.attempt.discovery_id)
    return CachedHandset.Source.DDM_REPORT if ddm else CachedHandset.Source.DELIVERY_REPORT


def match_early(attempts: Sequence[Attempt]) -> list[Report]:
    """Match and return the reports that arrived before the results of these attempts."""
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
    """Match up to `limit` unmatched reports again, the longest due first. Return them, matched or postponed.

    The caller holds the transaction.
    """
    due = Report.objects.select_for_update(skip_locked=True, of=("self",)).filter(due_at__lte=now)
    found = list(due.order_by("due_at")[:limit])
    named = _attempts_by_name((report.carrier_id, report.mmsc_id) for report in found)
    for report in found:
        match = named.get((report.carrier_id, report.mmsc_id))
        report.attempt = match.attempt if match else _search(report)
        if report.attempt:
            report.due_at = None
        else:
            _postpone(report, now)
    bulk.update(found, "attempt", "due_at", "matches")
    return found


def _search(report: Report) -> Attempt | None:
    """Return the attempt that the report is about if none had its MessageID a moment ago."""
    # In this order: an attempt that completes after the first query is found by its MessageID in the second.
    busy = _is_being_sent_to(report)
    name = report.carrier_id, report.mmsc_id
    if named := _attempts_by_name([name]).get(name):
        return named.attempt
    return None if busy else _attempt_without_name(report)


def _postpone(report: Report, now: datetime) -> None:
    report.matches += 1
    more = report.matches < len(MATCH_LADDER)
    report.due_at = now + MATCH_LADDER[report.matches] if more else None


def _is_being_sent_to(report: Report) -> bool:
    """Return whether a message or DDM to the number is being sent, which the report may be about."""
    to_number = {"carrier": report.carrier_id, "number": report.number}
    return any(m._default_manager.filter(**to_number, status=Status.SENDING).exists() for m in (Message, Discovery))


def _attempt_without_name(report: Report) -> Attempt | None:
    """Return the attempt without a MessageID that the report is about, if nothing is being sent to its number.

    It has to be the only candidate: in doubt or accepted without a MessageID, also after its expiry. The attempt gets
    the MessageID, so that later reports find it.
    """
    candidates = [*_nameless(report, "message"), *_nameless(report, "discovery")]
    if len(candidates) != 1:
        return None
    [attempt] = candidates
    # Another worker may assign it to another report right now: the update that finds no MessageID decides.
    nameless = Attempt.objects.filter(pk=attempt.pk, mmsc_id="")
    return attempt if nameless.update(mmsc_id=report.mmsc_id) else None


def _nameless(report: Report, sent: str) -> QuerySet[Attempt]:
    """Return the attempts of messages, or of DDMs, that the MMSC may have accepted under an unknown MessageID."""
    to_number = {f"{sent}__carrier": report.carrier_id, f"{sent}__number": report.number}
    may_report = {f"{sent}__expires_at__gt": report.received_at - LATE, "started_at__lte": report.received_at}
    return Attempt.objects.filter(**to_number, **may_report, outcome__in=PERHAPS_TAKEN, mmsc_id="")


# Final report -> status of the message or discovery.
FINAL_STATUS = {
    ReportStatus.RETRIEVED: Status.DELIVERED,
    ReportStatus.EXPIRED: Status.EXPIRED,
    ReportStatus.REJECTED: Status.REJECTED,
}


def final_status(report: Report) -> Status | None:
    """Return the status that this report means, or None if a later report is expected."""
    status = ReportStatus(report.status)
    return FINAL_STATUS.get(status, Status.FAILED) if status.is_final else None
