"""The door for MMSCs: one endpoint a carrier. An MMSC is told 1000 only after what it said is committed."""

import base64
import binascii
import secrets
from collections.abc import Sequence

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from mms import callers, doorbell, flow
from mms.mm7.requests import DeliveryReportReq, Unsupported, answer, fault, read_request
from mms.mm7.soap import Malformed
from mms.mm7.status import MMStatus
from mms.models import Carrier, Report
from mms.together import Together
from mms.tracking import name_of

log = structlog.get_logger()

XML = "text/xml; charset=utf-8"


@csrf_exempt
def endpoint(request: HttpRequest, carrier: str) -> HttpResponse:
    """Takes a request of the carrier's MMSC.

    HTTP 503 while we cannot store it: an MMSC tries again then, but drops the report on a SOAP fault.
    """
    try:
        return _served(request, carrier)
    except DatabaseError as problem:
        log.warning("a request of an MMSC could not be stored", carrier=carrier, problem=str(problem).strip())
        return HttpResponse("try again later\n", status=503, content_type="text/plain")


def _served(request: HttpRequest, slug: str) -> HttpResponse:
    carrier = Carrier.objects.filter(slug=slug).first()
    if carrier is None:
        return HttpResponse("no such carrier\n", status=404, content_type="text/plain")
    if not _from_its_network(request, carrier):
        return HttpResponse("not from this address\n", status=403, content_type="text/plain")
    if not _authenticated(request, carrier):
        refusal = HttpResponse("wrong user or password\n", status=401, content_type="text/plain")
        refusal["WWW-Authenticate"] = 'Basic realm="MM7"'
        return refusal
    if request.method != "POST":
        return HttpResponse("POST an MM7 request\n", status=405, content_type="text/plain")
    return _answered(request, carrier)


def _answered(request: HttpRequest, carrier: Carrier) -> HttpResponse:
    body = request.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        return HttpResponse("the request is too large\n", status=413, content_type="text/plain")
    try:
        said = read_request(request.headers.get("Content-Type", ""), body, _statuses(carrier))
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
    log.info("report", carrier=carrier.slug, status=report.status, **_about(report))
    return HttpResponse(answer(said), content_type=XML)


def _take_all(said: Sequence[tuple[Carrier, DeliveryReportReq]]) -> list[Report]:
    return flow.take_reports(said, timezone.now())


def _ring() -> None:
    doorbell.ring(doorbell.WORK)
    doorbell.ring(doorbell.NOTIFY)


# Reports come in crowds, as submits go: one commit for those that wait at the same moment.
_take = Together(_take_all, _ring)


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
