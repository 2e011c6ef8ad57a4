"""The door for MMSCs: one endpoint a carrier. An MMSC is told 1000 only after what it said is committed."""

import base64
import binascii
import secrets
from collections.abc import Iterator
from functools import partial
from itertools import compress
from operator import attrgetter

import structlog
from django.core.exceptions import RequestDataTooBig
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from config import memory, prepared
from mms import callers, doorbell, flow
from mms.mm7.requests import DeliveryReportReq, Unsupported, answer, fault, read_request
from mms.mm7.soap import Malformed
from mms.mm7.status import MMStatus
from mms.models import Carrier, Report
from mms.together import Together
from mms.tracking import name_of

log = structlog.get_logger()

XML = "text/xml; charset=utf-8"
PLAIN = "text/plain"


def endpoint(request: HttpRequest, slug: str) -> HttpResponse:
    """Takes a request of the MMSC of the carrier with this slug.

    HTTP 503 while we cannot store it: an MMSC tries again then, but drops the report on a SOAP fault.
    """
    try:
        # What is remembered of the carrier refuses nothing, and whoever takes the report looks at the truth.
        with memory.recalling():
            response = _answered(request, slug)
        response = response or _answered(request, slug) or _unavailable()
    except DatabaseError as problem:
        log.warning("a request of an MMSC could not be stored", carrier=slug, problem=str(problem).strip())
        response = _unavailable()
    response.headers["Content-Length"] = str(len(response.content))
    return response


def _unavailable() -> HttpResponse:
    return HttpResponse("try again later\n", status=503, content_type=PLAIN)


def _answered(request: HttpRequest, slug: str) -> HttpResponse | None:
    """The answer, or None where it takes another look at the carrier."""
    caller = _caller(request, slug)
    if isinstance(caller, Carrier):
        return _taken(request, caller)
    return None if memory.in_use() else caller


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


@memory.remembered
def _carrier(slug: str) -> Carrier | None:
    return Carrier.objects.filter(slug=slug).first()


def _taken(request: HttpRequest, carrier: Carrier) -> HttpResponse | None:
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
    report = _take((carrier, said))
    if report is None:
        return None
    if report.attempt and report.attempt.discovery_id:
        doorbell.ring(doorbell.WORK)  # for the messages that waited for the handset
    log.info("report", carrier=carrier.slug, status=report.status, **_about(report))
    return HttpResponse(answer(said), content_type=XML)


# What a report is let in and read by.
_terms = attrgetter("slug", "inbound_username", "inbound_password", "inbound_networks", "status_overrides")


def _take_all(waiting: Iterator[tuple[Carrier, DeliveryReportReq]]) -> list[Report | None]:
    """The reports as they are kept; None for one whose carrier is not what it was when the report was let in."""
    said = list(waiting)
    keys = list({carrier.pk for carrier, _ in said})
    terms = {carrier.pk: _terms(carrier) for carrier in prepared.objects(Carrier, "WHERE id = ANY(%s)", [keys])}
    current = [terms.get(carrier.pk) == _terms(carrier) for carrier, _ in said]
    kept = iter(flow.take_reports(list(compress(said, current)), timezone.now()))
    return [next(kept) if good else None for good in current]


# Reports come in crowds, as submits go: one commit for those that wait at the same moment.
_take = Together(_take_all, afterwards=partial(doorbell.ring, doorbell.NOTIFY))


def _about(report: Report) -> dict[str, str | int | None]:
    """Which of ours the report names, if it names one."""
    attempt = report.attempt
    if attempt is None:
        return {"unmatched": report.mmsc_id}
    return {"tracking_id": name_of(attempt.message_id)} if attempt.message_id else {"discovery": attempt.discovery_id}


def _statuses(carrier: Carrier) -> dict[str, MMStatus]:
    """The carrier's own table of MMStatus; what the console let in is one of ours."""
    return {word: MMStatus(meaning) for word, meaning in carrier.status_overrides.items()}


def _from_its_network(request: HttpRequest, carrier: Carrier) -> bool:
    return not carrier.inbound_networks or callers.within(callers.address(request), carrier.inbound_networks)


def _authenticated(request: HttpRequest, carrier: Carrier) -> bool:
    """HTTP basic authentication, where the carrier has a user here."""
    if not carrier.inbound_username:
        return True
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        given = base64.b64decode(token.strip(), validate=True)
    except binascii.Error:
        return False
    expected = f"{carrier.inbound_username}:{carrier.inbound_password}".encode()
    return scheme.lower() == "basic" and secrets.compare_digest(given, expected)
