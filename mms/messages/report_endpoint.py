"""The endpoint for MMSCs, one URL per carrier: stores delivery reports, and confirms each once it is committed.

Reports arrive in bursts, as submits do, so the leader of a group commit reads and stores them in one transaction.
"""

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter
from typing import Final

import structlog
from django.core.exceptions import RequestDataTooBig
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from base import sql
from base.stale_cache import Freshness, stale_cached
from mms.messages import report_apply
from mms.mm7.requests import (
    UNSUPPORTED,
    DeliverReq,
    DeliveryReportReq,
    ReadReplyReq,
    UnsupportedOperation,
    read_request,
    write_fault,
    write_refusal,
    write_response,
)
from mms.mm7.soap import Malformed
from mms.models import Carrier, Report
from mms.models.tracking_ids import format_tracking_id
from mms.protocol.reports import ReportStatus
from mms.runtime import client_address, wakeup
from mms.runtime.group_commit import UNDECIDED, Batch, GroupCommit, Undecided

log = structlog.get_logger()

XML = "text/xml; charset=utf-8"
PLAIN = "text/plain"

MAX_BODY: Final = 16_384  # bytes; the rest of the batch waits while the leader parses a request
MAX_WAIT: Final = 0.03  # seconds; a commit costs the same for many reports as for one


@dataclass(frozen=True, slots=True)
class _Call:
    """A request of an MMSC, with the slug from its URL and the carrier as it was authenticated."""

    request: HttpRequest
    slug: str
    carrier: Carrier


@dataclass(frozen=True, slots=True)
class _Inbound:
    """A parsed delivery report, with the carrier as it was authenticated."""

    carrier: Carrier
    report: DeliveryReportReq


@dataclass(frozen=True, slots=True)
class _Answered:
    """The response to a request, and the report that was stored for it, if any."""

    response: HttpResponse
    report: Report | None = None


def endpoint(request: HttpRequest, slug: str) -> HttpResponse:
    """Answer a request of the MMSC of the carrier with this slug.

    If the request cannot be stored, the answer is HTTP 503: an MMSC then sends it again, but would drop a report on a
    SOAP fault.
    """
    try:
        response = _respond(request, slug)
    except Error as problem:
        log.warning("a request of an MMSC could not be stored", carrier=slug, problem=str(problem).strip())
        response = _unavailable()
    except Exception:
        log.exception("a request of an MMSC failed", carrier=slug)
        response = _unavailable()
    response.headers["Content-Length"] = str(len(response.content))
    return response


def _respond(request: HttpRequest, slug: str) -> HttpResponse:
    # A cached carrier never leads to a refusal, and the commit compares it with the current one.
    carrier = _authenticate(request, slug, Freshness.CACHED)
    if isinstance(carrier, Carrier) and int(request.META.get("CONTENT_LENGTH") or 0) <= MAX_BODY:
        return REPORTS.submit(_Call(request, slug, carrier)).response
    return _process_alone(request, slug).response


def _process_alone(request: HttpRequest, slug: str) -> _Answered:
    """Process a request on its own thread, against the current carrier."""
    carrier = _authenticate(request, slug, Freshness.CURRENT)
    if not isinstance(carrier, Carrier):
        return _Answered(carrier)
    (result,) = _store([_read(request, carrier)])
    if isinstance(result, Undecided):  # the carrier has just been changed
        return _Answered(_unavailable())
    _wake_workers([result])
    return result


def _commit(batch: Batch[_Call]) -> list[_Answered | Undecided]:
    # Read all before storing any: more requests join the batch while it is read.
    read = [_read(call.request, call.carrier) for call in batch]
    return _store(read, batch.log_fields)


def _wake_workers(results: Sequence[_Answered | Undecided]) -> None:
    stored = [result.report for result in results if isinstance(result, _Answered) and result.report]
    if stored:
        wakeup.wake(wakeup.NOTIFY)
    if any(report.attempt and report.attempt.discovery_id for report in stored):
        wakeup.wake(wakeup.WORK)  # for the messages that waited for the handset


REPORTS: Final = GroupCommit(
    commit=_commit,
    on_batch_failure=lambda call: _process_alone(call.request, call.slug),
    max_wait=MAX_WAIT,
    after_commit=_wake_workers,
)


def _unavailable() -> HttpResponse:
    return HttpResponse("try again later\n", status=503, content_type=PLAIN)


def _authenticate(request: HttpRequest, slug: str, freshness: Freshness) -> Carrier | HttpResponse:
    """Return the carrier whose MMSC made the request, or the refusal."""
    carrier = _carrier(freshness, slug)
    if carrier is None:
        return HttpResponse("no such carrier\n", status=404, content_type=PLAIN)
    if not (carrier.inbound_username or carrier.inbound_networks):
        log.warning("refused a request of an MMSC whose carrier has neither credentials nor networks", carrier=slug)
        return HttpResponse("neither credentials nor networks are set up\n", status=403, content_type=PLAIN)
    if not _from_its_network(request, carrier):
        return HttpResponse("this address is not allowed\n", status=403, content_type=PLAIN)
    if not _has_credentials(request, carrier):
        headers = {"WWW-Authenticate": 'Basic realm="MM7"'}
        return HttpResponse("wrong user or password\n", status=401, content_type=PLAIN, headers=headers)
    if request.method != "POST":
        return HttpResponse("POST an MM7 request\n", status=405, content_type=PLAIN)
    return carrier


@stale_cached
def _carrier(slug: str) -> Carrier | None:
    return Carrier.objects.filter(slug=slug).first()


def _read(request: HttpRequest, carrier: Carrier) -> _Inbound | HttpResponse:
    """Return the delivery report in the request, or the refusal."""
    try:
        read = read_request(request.headers.get("Content-Type", ""), request.body, _statuses(carrier))
    except RequestDataTooBig:
        return HttpResponse("the request is too large\n", status=413, content_type=PLAIN)
    except Malformed as problem:
        log.warning("a malformed request of an MMSC", carrier=carrier.slug, problem=str(problem))
        return HttpResponse(write_fault("", 2007, str(problem)), status=400, content_type=XML)
    except UnsupportedOperation as problem:
        return _refuse(carrier, problem)
    if not isinstance(read, DeliveryReportReq):
        return _answer_unstored(carrier, read)
    return _Inbound(carrier, read)


def _refuse(carrier: Carrier, refused: UnsupportedOperation) -> HttpResponse:
    """Answer an operation that is not supported with its own response, or with a Fault if it is no request."""
    log.warning("refused an operation of an MMSC", carrier=carrier.slug, operation=refused.name)
    if response := write_refusal(refused):
        return HttpResponse(response, content_type=XML)
    fault = write_fault(refused.transaction_id, UNSUPPORTED, str(refused), refused.namespace)
    return HttpResponse(fault, status=500, content_type=XML)


def _answer_unstored(carrier: Carrier, read: DeliverReq | ReadReplyReq) -> HttpResponse:
    """Answer a request that is not stored, so that the MMSC does not repeat it.

    A read reply is confirmed: nothing depends on it. A message is refused, since nobody would get it.
    """
    if isinstance(read, ReadReplyReq):
        log.info("a read reply is not stored", carrier=carrier.slug)
        return HttpResponse(write_response(read), content_type=XML)
    log.warning("refused a message from a handset", carrier=carrier.slug)
    return HttpResponse(write_response(read, UNSUPPORTED, "messages are not accepted"), content_type=XML)


def _store(
    read: Sequence[_Inbound | HttpResponse], batch: Mapping[str, float] | None = None
) -> list[_Answered | Undecided]:
    """Store the reports in one transaction and answer them, or return UNDECIDED where the carrier has changed since.

    The fields of the batch are added to the log line of each report. Raises django.db.Error; then nothing is stored.
    """
    inbound = [item for item in read if isinstance(item, _Inbound)]
    unchanged = _unchanged(inbound) if inbound else []
    reports = [(item.carrier, item.report.delivery_report()) for item in compress(inbound, unchanged)]
    stored = iter(report_apply.record_reports(reports, timezone.now()) if reports else ())
    decided = iter(unchanged)

    def result(item: _Inbound | HttpResponse) -> _Answered | Undecided:
        if isinstance(item, HttpResponse):
            return _Answered(item)
        return _confirm(item, next(stored), batch or {}) if next(decided) else UNDECIDED

    return [result(item) for item in read]


# The fields of a carrier by which its requests are authenticated and read.
_terms = attrgetter("slug", "inbound_username", "inbound_password", "inbound_networks", "status_overrides")


def _unchanged(inbound: Sequence[_Inbound]) -> list[bool]:
    """Return for each report whether the terms of its carrier are still those of its authentication."""
    keys = list({item.carrier.pk for item in inbound})
    terms = {carrier.pk: _terms(carrier) for carrier in sql.fetch_objects(Carrier, "WHERE id = ANY(%s)", [keys])}
    return [terms.get(item.carrier.pk) == _terms(item.carrier) for item in inbound]


def _confirm(inbound: _Inbound, report: Report, batch: Mapping[str, float]) -> _Answered:
    log.info("report", carrier=inbound.carrier.slug, status=report.status, **_about(report), **batch)
    return _Answered(HttpResponse(write_response(inbound.report), content_type=XML), report)


def _about(report: Report) -> dict[str, str | int | None]:
    """Return the log fields that name the message or discovery of the report."""
    attempt = report.attempt
    if attempt is None:
        return {"unmatched": report.mmsc_id}
    return (
        {"tracking_id": format_tracking_id(attempt.message_id)}
        if attempt.message_id
        else {"discovery": attempt.discovery_id}
    )


def _statuses(carrier: Carrier) -> dict[str, ReportStatus]:
    """Return the carrier's own MMStatus table. The admin accepts only our statuses in it."""
    return {word: ReportStatus(status) for word, status in carrier.status_overrides.items()}


def _from_its_network(request: HttpRequest, carrier: Carrier) -> bool:
    return not carrier.inbound_networks or client_address.in_networks(
        client_address.of_request(request), carrier.inbound_networks
    )


def _has_credentials(request: HttpRequest, carrier: Carrier) -> bool:
    """Check the HTTP Basic credentials, if the carrier has a user name."""
    if not carrier.inbound_username:
        return True
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        given = base64.b64decode(token.strip(), validate=True)
    except ValueError:  # not base64, or not ASCII
        return False
    expected = f"{carrier.inbound_username}:{carrier.inbound_password}".encode()
    return scheme.lower() == "basic" and secrets.compare_digest(given, expected)
