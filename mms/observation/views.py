"""Endpoints for probes and Prometheus: /healthz, /readyz, /metrics.

They are answered before any other middleware: a probe may use a host name that is not in ALLOWED_HOSTS.
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


def healthz(_: HttpRequest) -> HttpResponse:
    """Return 200: a thread of this process is free to answer. Nothing else is checked."""
    return HttpResponse("alive\n", content_type=PLAIN)


@cache
def _readiness() -> readiness.Readiness:
    return readiness.Readiness(readiness.CHECKS)


def readyz(_: HttpRequest) -> HttpResponse:
    """Return the result of each readiness check, "ok" or the problem, with status 503 if there is a problem."""
    problems = _readiness().problems()
    status = 503 if any(problems.values()) else 200
    return JsonResponse({name: problem or "ok" for name, problem in problems.items()}, status=status)


def metrics_view(request: HttpRequest) -> HttpResponse:
    """Return the metrics if the bearer token is METRICS_TOKEN; without that setting, refuse."""
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


ROUTES: Final = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics_view}


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware that answers these endpoints and passes on all other requests."""

    def route(request: HttpRequest) -> HttpResponse:
        view = ROUTES.get(request.path_info)
        return view(request) if view else get_response(request)

    return route
