"""The door for MMSCs: one endpoint a carrier. An MMSC is told 1000 only after what it said is committed."""

import base64
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter
from typing import Final, TypeAlias

import structlog
from django.core.exceptions import RequestDataTooBig
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from base import sql, stale_cache
from mms.messages import report_apply
from mms.mm7.requests import DeliveryReportReq, Unsupported, answer, fault, read_request
from mms.mm7.soap import Malformed
from mms.models import Carrier, Report
from mms.models.tracking_ids import name_of
from mms.protocol.reports import ReportStatus
from mms.runtime import client_address, wakeup
from mms.runtime.group_commit import Together

log = structlog.get_logger()

XML = "text/xml; charset=utf-8"
PLAIN = "text/plain"


# Bytes of the longest request that others wait for while it is read.
SHORT: Final = 16_384
# Seconds that reports wait for each other where they come in crowds: a commit costs as much for many as for one.
PATIENCE: Final = 0.03


@dataclass(frozen=True, slots=True)
class _Said:
    """A delivery report that was let in."""

    carrier: Carrier
    report: DeliveryReportReq


@dataclass(frozen=True, slots=True)
class _Done:
    """The answer to a request, and the report that was taken by it, if it was one."""

    response: HttpResponse
    report: Report | None = None


# A request that was let in.
_Visit: TypeAlias = tuple[HttpRequest, Carrier]


def endpoint(request: HttpRequest, slug: str) -> HttpResponse:
    """Takes a request of the MMSC of the carrier with this slug.

    HTTP 503 while we cannot store it: an MMSC tries again then, but drops the report on a SOAP fault.
    """
    try:
        response = _with_others(request, slug) or _alone(request, slug) or _unavailable()
    except DatabaseError as problem:
        log.warning("a request of an MMSC could not be stored", carrier=slug, problem=str(problem).strip())
        response = _unavailable()
    except Exception:
        log.exception("a request of an MMSC failed", carrier=slug)
        response = _unavailable()
    response.headers["Content-Length"] = str(len(response.content))
    return response


def _with_others(request: HttpRequest, slug: str) -> HttpResponse | None:
    """The answer, by the carrier as it is remembered; None where that refuses, or it takes another look."""
    # What is remembered of a carrier refuses nothing, and before its reports are taken the truth is looked at.
    with stale_cache.recalling():
        caller = _caller(request, slug)
    if not isinstance(caller, Carrier) or not _is_short(request):
        return None
    done = _together((request, caller))
    return done.response if done else None


def _alone(request: HttpRequest, slug: str) -> HttpResponse | None:
    """The answer, by the carrier as it is; None where it is another by the time that the report is taken."""
    caller = _caller(request, slug)
    if not isinstance(caller, Carrier):
        return caller
    (done,) = _done([_understood(request, caller)])
    _ring([done])
    return done.response if done else None


def _is_short(request: HttpRequest) -> bool:
    return int(request.META.get("CONTENT_LENGTH") or 0) <= SHORT


def _unavailable() -> HttpResponse:
    return HttpResponse("try again later\n", status=503, content_type=PLAIN)


def _serve(visits: Iterator[_Visit]) -> list[_Done | None]:
    """Reads what comes while it reads, and takes and answers all of it; None for what takes another look.

    Of those that cannot be taken together, each is tried by its own thread: one that cannot be taken harms no other.
    """
    read: list[_Said | HttpResponse | None] = []
    try:
        for visit in visits:
            read.append(None)  # so that it is answered, too, where it cannot be read
            read[-1] = _understood(*visit)
        return _done(read)
    except Exception as problem:  # noqa: BLE001 - whose it is meets it again
        log.warning("requests of MMSCs are tried one by one", requests=len(read), problem=str(problem).strip())
        return [None] * len(read)


def _ring(done: Sequence[_Done | None]) -> None:
    taken = [each.report for each in done if each and each.report]
    if taken:
        wakeup.ring(wakeup.NOTIFY)
    if any(report.attempt and report.attempt.discovery_id for report in taken):
        wakeup.ring(wakeup.WORK)  # for the messages that waited for the handset


# Reports come in crowds, as submits go: one thread reads them, one commit takes those that are there at that moment.
_together = Together(_serve, afterwards=_ring, patience=PATIENCE)


def _caller(request: HttpRequest, slug: str) -> Carrier | HttpResponse:
    """The carrier whose MMSC calls, or the refusal."""
    carrier = _carrier(slug)
    if carrier is None:
        return HttpResponse("no such carrier\n", status=404, content_type=PLAIN)
    if not _from_its_network(request, carrier):
        return HttpResponse("not from this address\n", status=403, content_type=PLAIN)
    if not _authenticated(request, carrier):
        headers = {"WWW-Authenticate": 'Basic realm="MM7"'}
        return HttpResponse("wrong user or password\n", status=401, content_type=PLAIN, headers=headers)
    if request.method != "POST":
        return HttpResponse("POST an MM7 request\n", status=405, content_type=PLAIN)
    return carrier


@stale_cache.remembered
def _carrier(slug: str) -> Carrier | None:
    return Carrier.objects.filter(slug=slug).first()


def _understood(request: HttpRequest, carrier: Carrier) -> HttpResponse | _Said:
    try:
        said = read_request(request.headers.get("Content-Type", ""), request.body, _statuses(carrier))
    except RequestDataTooBig:
        return HttpResponse("the request is too large\n", status=413, content_type=PLAIN)
    except Malformed as problem:
        log.warning("a malformed request of an MMSC", carrier=carrier.slug, problem=str(problem))
        return HttpResponse(fault("", 2007, str(problem)), status=400, content_type=XML)
    except Unsupported as problem:
        return HttpResponse(
            fault(problem.transaction_id, 4003, str(problem), problem.namespace), status=500, content_type=XML
        )
    if not isinstance(said, DeliveryReportReq):
        # Nothing is said to be taken that is not kept: the MMSC's operator sees the refusal.
        refusal = fault(said.transaction_id, 4003, "only delivery reports are taken", said.namespace)
        return HttpResponse(refusal, status=500, content_type=XML)
    return _Said(carrier, said)


def _done(read: Sequence[_Said | HttpResponse | None]) -> list[_Done | None]:
    """Takes the reports among them; None for one whose carrier is not what it was when the report was let in."""
    said = [one for one in read if isinstance(one, _Said)]
    kept = iter(_kept(said) if said else [])

    def done(one: _Said | HttpResponse | None) -> _Done | None:
        match one:
            case _Said():
                return _answered(one, next(kept))
            case HttpResponse():
                return _Done(one)
        return None

    return [done(one) for one in read]


# What a report is let in and read by.
_terms = attrgetter("slug", "inbound_username", "inbound_password", "inbound_networks", "status_overrides")


def _kept(said: Sequence[_Said]) -> list[Report | None]:
    keys = list({one.carrier.pk for one in said})
    terms = {carrier.pk: _terms(carrier) for carrier in sql.objects(Carrier, "WHERE id = ANY(%s)", [keys])}
    current = [terms.get(one.carrier.pk) == _terms(one.carrier) for one in said]
    reports = [(one.carrier, one.report.delivery_report()) for one in compress(said, current)]
    kept = report_apply.record_reports(reports, timezone.now())
    in_turn = iter(kept)
    return [next(in_turn) if good else None for good in current]


def _answered(said: _Said, report: Report | None) -> _Done | None:
    if report is None:
        return None
    log.info("report", carrier=said.carrier.slug, status=report.status, **_about(report))
    return _Done(HttpResponse(answer(said.report), content_type=XML), report)


def _about(report: Report) -> dict[str, str | int | None]:
    """Which of ours the report names, if it names one."""
    attempt = report.attempt
    if attempt is None:
        return {"unmatched": report.mmsc_id}
    return {"tracking_id": name_of(attempt.message_id)} if attempt.message_id else {"discovery": attempt.discovery_id}


def _statuses(carrier: Carrier) -> dict[str, ReportStatus]:
    """The carrier's own table of MMStatus; what the console let in is one of ours."""
    return {word: ReportStatus(meaning) for word, meaning in carrier.status_overrides.items()}


def _from_its_network(request: HttpRequest, carrier: Carrier) -> bool:
    return not carrier.inbound_networks or client_address.within(
        client_address.address(request), carrier.inbound_networks
    )


def _authenticated(request: HttpRequest, carrier: Carrier) -> bool:
    """HTTP basic authentication, where the carrier has a user here."""
    if not carrier.inbound_username:
        return True
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        given = base64.b64decode(token.strip(), validate=True)
    except ValueError:  # of base64, or of what is not ASCII
        return False
    expected = f"{carrier.inbound_username}:{carrier.inbound_password}".encode()
    return scheme.lower() == "basic" and secrets.compare_digest(given, expected)
