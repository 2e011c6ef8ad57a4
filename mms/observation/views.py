"""The doors for those who watch: /healthz, /readyz, /metrics.

They are answered before anything else looks at the request: a probe calls by an address that is in no list of hosts.
"""

import hmac
from collections.abc import Callable
from functools import cache
from typing import Final

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST

from mms.observation import metrics, readiness

log = structlog.get_logger()

PLAIN: Final = "text/plain; charset=utf-8"


def alive(_: HttpRequest) -> HttpResponse:
    """A thread of this process answers: nothing else is asked."""
    return HttpResponse("alive\n", content_type=PLAIN)


@cache
def _readiness() -> readiness.Readiness:
    return readiness.Readiness(readiness.CHECKS)


def ready(_: HttpRequest) -> HttpResponse:
    """Each check by its name: "ok", or what is wrong; 503 if anything is."""
    problems = _readiness().problems()
    status = 503 if any(problems.values()) else 200
    return JsonResponse({name: problem or "ok" for name, problem in problems.items()}, status=status)


def scraped(request: HttpRequest) -> HttpResponse:
    """The metrics, for whoever has METRICS_TOKEN; without one they are nobody's."""
    if not settings.METRICS_TOKEN:
        return HttpResponse("set METRICS_TOKEN to have metrics\n", status=404, content_type=PLAIN)
    expected = f"Bearer {settings.METRICS_TOKEN}".encode()
    if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
        refusal = HttpResponse("wrong token\n", status=401, content_type=PLAIN)
        refusal["WWW-Authenticate"] = "Bearer"
        return refusal
    try:
        return HttpResponse(metrics.render(), content_type=CONTENT_TYPE_LATEST)
    except DatabaseError as problem:
        log.warning("no metrics", problem=str(problem).strip())
        return HttpResponse("the database is out of reach\n", status=503, content_type=PLAIN)


DOORS: Final = {"/healthz": alive, "/readyz": ready, "/metrics": scraped}


def watched(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """The middleware that opens these doors."""

    def middleware(request: HttpRequest) -> HttpResponse:
        door = DOORS.get(request.path_info)
        return door(request) if door else get_response(request)

    return middleware
