"""The WSGI application, served by granian."""

import os
from collections.abc import Iterable
from io import BytesIO
from typing import Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from base import memory, request_slots
from mms.runtime import client_address

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
memory.return_large_blocks()

# Concurrent requests of one client address whose bodies are still incomplete, per process. A process has 256 threads
# (docker-compose.yml), so a client that sends a byte at a time delays only itself.
UNFINISHED_MAX: Final = 64
# Probes need no request slot: a process whose slots are busy is not dead.
PROBES: Final = frozenset({"/healthz", "/readyz"})


def read_body_first(application: WSGIApplication) -> WSGIApplication:
    """Wrap the application so that it is called once the whole body has arrived: a slow client occupies no slot.

    At most one byte more than the largest body is read. Django reads as much as Content-Length says, so that is set to
    the length received, also for a chunked body. This needs a server that marks the end of its input.
    """
    unfinished = request_slots.ConcurrencyLimit(UNFINISHED_MAX)
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in PROBES:
            return application(without_encoded_parameters(environ), start_response)
        if environ.get("wsgi.input_terminated"):
            with unfinished.enter(client_address.of_environ(environ)) as admitted:
                if not admitted:
                    return _refuse(
                        start_response, "503 Service Unavailable", "too many of your requests are unfinished"
                    )
                body = environ["wsgi.input"].read(limit)
            if len(body) < min(limit, int(environ.get("CONTENT_LENGTH") or 0)):
                return _refuse(start_response, "400 Bad Request", "the request is cut short")
            environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        with request_slots.held():
            return application(without_encoded_parameters(environ), start_response)

    return wrapped


def _refuse(start_response: StartResponse, status: str, reason: str) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain"), ("Connection", "close")])
    return [f"{reason}\n".encode()]


def without_encoded_parameters(environ: WSGIEnvironment) -> WSGIEnvironment:
    """Return the environment without encoded parameters of the Content-Type, on which Django could fail.

    Those of RFC 2231 (`charset*=...`) may name an unknown character set; no client of ours needs them.
    """
    content_type = environ.get("CONTENT_TYPE", "")
    return {**environ, "CONTENT_TYPE": content_type.partition(";")[0]} if "*" in content_type else environ


_django = get_wsgi_application()  # also loads the settings
application = read_body_first(_django)
