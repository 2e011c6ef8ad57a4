"""Report matching: record each delivery report once, and match it to its attempt, at once or later.

A report may arrive before the reply to the submit, twice, late, or for a message whose reply was lost. While the search
(report_search.py) finds no attempt, matching is retried on a schedule. A matched report is about the attempt's number,
however the MMSC wrote that: national, masked, swapped with the sender, or not at all.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from django.db.models import Q

from base import bulk, sql
from handsets import cache
from handsets.models import CachedHandset
from mms.messages import report_search
from mms.messages.report_search import KnownAttempt
from mms.models import Attempt, Carrier, Discovery, Message, Report, Status
from mms.protocol.reports import DeliveryReport, ReportStatus

# Retry schedule of matching: time to the next try. After the last one the report is left to an operator.
MATCH_SCHEDULE = (
    timedelta(seconds=1),
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
)

# A report without a date that equals an earlier one repeats it if it arrives within this time.
REPEATS = timedelta(minutes=10)
REPORTS_BY_MMSC_ID = "WHERE carrier_id = ANY(%s) AND mmsc_id = ANY(%s) FOR UPDATE SKIP LOCKED"


def record(given: Sequence[tuple[Carrier, DeliveryReport]], now: datetime) -> list[tuple[Report, bool]]:
    """Record the reports. Return for each its row, and whether it is new. The caller holds the transaction."""
    named = report_search.by_mmsc_id((carrier.pk, report.message_id) for carrier, report in given)
    reports = [_report(carrier, report, named.get((carrier.pk, report.message_id)), now) for carrier, report in given]
    _adopt_occasions([report for report in reports if not (report.attempt_id or report.reported_at)], now)
    # Sorted, to avoid deadlocks with another process that inserts the same reports.
    new = {id(report) for report in bulk.insert_new(sorted(reports, key=_identity), *IDENTITY)}
    recorded = {_identity(report): report for report in reports if id(report) in new}
    recorded |= _recorded_before([report for report in reports if _identity(report) not in recorded])
    return [(recorded[_identity(report)], id(report) in new) for report in reports]


# A report that agrees with another in these fields repeats it.
Identity: TypeAlias = tuple[int, str, str, str, str, str]
IDENTITY = ("carrier", "mmsc_id", "number", "status", "raw_status", "occasion")


def _identity(report: Report) -> Identity:
    return report.carrier_id, report.mmsc_id, report.number, report.status, report.raw_status, report.occasion


def _report(carrier: Carrier, given: DeliveryReport, named: KnownAttempt | None, now: datetime) -> Report:
    return Report(
        carrier=carrier,
        mmsc_id=given.message_id,
        number=named.number if named else _recipient(given),
        status=given.status,
        raw_status=given.raw_status[:200],
        text=given.text,
        identity=cache.parse_identity(given.handset) or "",
        reported_at=given.reported_at,
        received_at=now,
        attempt=named.attempt if named else None,
        occasion=_occasion(given, named, now),
        due_at=None if named else now + MATCH_SCHEDULE[0],
    )


def _occasion(given: DeliveryReport, named: KnownAttempt | None, now: datetime) -> str:
    """Return what tells a report from a later one that has the same MessageID, or none, and the same status.

    The attempt that it is about or, while that is unknown, the MMSC's date or the minute in which the report arrived.
    """
    if named:
        return _occasion_of(named.attempt)
    return given.reported_at.isoformat() if given.reported_at else f"{now:%Y-%m-%dT%H:%M}"


def _occasion_of(attempt: Attempt) -> str:
    return f"attempt {attempt.pk}"


def _adopt_occasions(undated: Sequence[Report], now: datetime) -> None:
    """Give reports without a date and without a known attempt the occasion of the report that they seem to repeat."""
    for report in undated:
        equal = Report.objects.filter(**{name: getattr(report, name) for name in IDENTITY if name != "occasion"})
        recent = equal.filter(reported_at=None, received_at__gt=now - REPEATS).order_by("received_at").last()
        report.occasion = recent.occasion if recent else report.occasion


def _recorded_before(repeated: Sequence[Report]) -> dict[Identity, Report]:
    """Return the reports recorded before, which these repeat."""
    if not repeated:
        return {}
    same_ids = Q(mmsc_id__in={report.mmsc_id for report in repeated}, carrier__in={r.carrier_id for r in repeated})
    return {_identity(report): report for report in Report.objects.filter(same_ids).select_related("attempt")}


def _recipient(given: DeliveryReport) -> str:
    """Return the recipient's number as the MMSC wrote it. Some MMSCs swap recipient and sender."""
    addresses = [*given.recipients, *given.senders]
    # A recipient's number is international, a sender address is often a short code.
    return next((number for number in addresses if len(number) > 6), addresses[0] if addresses else "")[:30]


def update_handset_cache(named: Iterable[tuple[Report, str | None]]) -> None:
    """Enter the handsets that matched reports name into the handset cache.

    A report that matches no attempt proves nothing about a number, so it teaches nothing. An entry has the date at
    which its report first arrived. A repeated report may name a handset that the first one did not.
    """
    cache.record_sightings(
        [
            cache.Sighting(report.number, identity, _source(report), report.received_at)
            for report, identity in named
            if identity and report.number and report.attempt
        ]
    )


def _source(report: Report) -> CachedHandset.Source:
    ddm = bool(report.attempt and report.attempt.discovery_id)
    return CachedHandset.Source.DDM_REPORT if ddm else CachedHandset.Source.DELIVERY_REPORT


def match_early(attempts: Sequence[Attempt]) -> list[Report]:
    """Match and return the reports that arrived before the results of these attempts."""
    by_id = {(attempt.carrier_id, attempt.mmsc_id): attempt for attempt in attempts if attempt.mmsc_id}
    if not by_id:
        return []
    reports = sql.fetch_objects(Report, REPORTS_BY_MMSC_ID, report_search.columns(by_id))
    found = [r for r in reports if r.attempt_id is None and (r.carrier_id, r.mmsc_id) in by_id]
    _set_attempts([(report, report_search.known(by_id[report.carrier_id, report.mmsc_id])) for report in found])
    bulk.update(found, "attempt", "due_at", "number", "occasion")
    return found


def _set_attempts(matches: Sequence[tuple[Report, KnownAttempt]]) -> None:
    """Set the attempts and numbers of reports, and the occasions by which their repeats will be recognised."""
    repeats = Report.objects.filter(attempt__in=[match.attempt.pk for _, match in matches])
    recorded = {_identity(report) for report in repeats} if matches else set()
    for report, match in matches:
        report.attempt, report.due_at, report.number = match.attempt, None, match.number
        if report.mmsc_id and report_search.finds(report.mmsc_id, match.attempt):
            report.occasion = _occasion_of(match.attempt)
        if _identity(report) in recorded:  # a repeat, perhaps with its number in another spelling, was recorded before
            report.occasion = f"report {report.pk}"
        recorded.add(_identity(report))


def match_again(now: datetime, limit: int) -> list[Report]:
    """Try again to match up to `limit` due reports, the longest due first. Return them, matched or postponed.

    The caller holds the transaction.
    """
    due = Report.objects.select_for_update(skip_locked=True, of=("self",)).filter(due_at__lte=now)
    found = list(due.order_by("due_at")[:limit])
    named = report_search.by_mmsc_id((report.carrier_id, report.mmsc_id) for report in found)
    matches: list[tuple[Report, KnownAttempt]] = []
    for report in found:
        if match := named.get((report.carrier_id, report.mmsc_id)) or report_search.search(report):
            matches.append((report, match))
        else:
            _postpone(report, now)
    _set_attempts(matches)
    bulk.update(found, "attempt", "due_at", "number", "occasion", "matches")
    return found


def _postpone(report: Report, now: datetime) -> None:
    report.matches += 1
    more = report.matches < len(MATCH_SCHEDULE)
    report.due_at = now + MATCH_SCHEDULE[report.matches] if more else None


# Final report -> status of the message or discovery.
FINAL_STATUS = {
    ReportStatus.RETRIEVED: Status.DELIVERED,
    ReportStatus.EXPIRED: Status.EXPIRED,
    ReportStatus.REJECTED: Status.REJECTED,
}


def confirms_submit(sent: Message | Discovery, final: Status | None) -> bool:
    """Return whether the report is the first proof that the MMSC accepted the message or DDM."""
    # Delivered although the MMSC refused a try: another try would deliver it twice.
    refused = sent.status == Status.ACCEPTED and final == Status.DELIVERED
    return sent.status == Status.IN_DOUBT or refused


def final_status(report: Report) -> Status | None:
    """Return the final status that the report stands for, or None if a later report is expected."""
    status = ReportStatus(report.status)
    return FINAL_STATUS.get(status, Status.FAILED) if status.is_final else None
