"""The WSGI application, served by granian."""

import ipaddress
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from base import memory, request_slots
from base.request_slots import ConcurrencyLimit
from mms.runtime import client_address

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
memory.return_large_blocks()

# Concurrent requests of one client address in a process: a quarter of its threads (config/web.py) for those whose
# bodies are incomplete, and half of them for all. So a client delays only itself.
UNFINISHED_MAX: Final = 64
REQUESTS_MAX: Final = 128
# Concurrent requests of all clients in a process: the other threads answer probes, whatever these wait for.
ALL_REQUESTS_MAX: Final = 240
# Probes need no request slot: a process whose slots are busy is not dead.
PROBES: Final = frozenset({"/healthz", "/readyz"})


def read_body_first(application: WSGIApplication) -> WSGIApplication:
    """Wrap the application so that it is called once the whole body has arrived: a slow client occupies no slot.

    At most one byte more than the largest body is read. Django reads as much as Content-Length says, so that is set to
    the length received, also for a chunked body. This needs a server that marks the end of its input.
    """
    requests, unfinished = ConcurrencyLimit(REQUESTS_MAX), ConcurrencyLimit(UNFINISHED_MAX)
    all_requests = ConcurrencyLimit(ALL_REQUESTS_MAX)

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in PROBES:
            return application(without_encoded_parameters(environ), start_response)
        client = _owner(client_address.of_environ(environ))
        if client_address.is_secure(environ):
            environ = environ | {"wsgi.url_scheme": "https"}
        try:
            with (
                _within(requests, client, "too many of your requests are waiting"),
                _within(all_requests, "all clients", "too many requests are waiting"),
            ):
                with _within(unfinished, client, "too many of your requests are unfinished"):
                    environ = _with_whole_body(environ)
                with request_slots.held(client):
                    return application(without_encoded_parameters(environ), start_response)
        except _RefusedError as refused:
            start_response(refused.status, [("Content-Type", "text/plain"), ("Connection", "close")])
            return [f"{refused.reason}\n".encode()]

    return wrapped


def _owner(address: str) -> str:
    """Return what limits count a client by: its address or, for IPv6, the /64 network that one customer has."""
    if ":" not in address:
        return address
    with suppress(ValueError):
        client = ipaddress.IPv6Address(address)
        return str(client.ipv4_mapped or ipaddress.IPv6Network((client, 64), strict=False))
    return address


@dataclass
class _RefusedError(Exception):
    """A request that is not passed to the application."""

    status: str
    reason: str


@contextmanager
def _within(limit: ConcurrencyLimit, client: str, reason: str) -> Iterator[None]:
    with limit.enter(client) as admitted:
        if not admitted:
            raise _RefusedError("503 Service Unavailable", reason)
        yield


def _with_whole_body(environ: WSGIEnvironment) -> WSGIEnvironment:
    if not environ.get("wsgi.input_terminated"):
        return environ
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1
    body = environ["wsgi.input"].read(limit)
    if len(body) < min(limit, int(environ.get("CONTENT_LENGTH") or 0)):
        raise _RefusedError("400 Bad Request", "the request is cut short")
    return environ | {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}


def without_encoded_parameters(environ: WSGIEnvironment) -> WSGIEnvironment:
    """Return the environment without encoded parameters of the Content-Type, on which Django could fail.

    Those of RFC 2231 (`charset*=...`) may name an unknown character set; no client of ours needs them.
    """
    content_type = environ.get("CONTENT_TYPE", "")
    return {**environ, "CONTENT_TYPE": content_type.partition(";")[0]} if "*" in content_type else environ


_django = get_wsgi_application()  # also loads the settings
application = read_body_first(_django)
