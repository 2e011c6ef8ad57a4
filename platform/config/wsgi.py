"""The WSGI application, served by granian."""

import os
from collections.abc import Iterable
from io import BytesIO
from typing import Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from base import request_slots
from mms.runtime import client_address

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Requests of one caller whose bodies are on the way at once, in each process. A process has 256 threads
# (docker-compose.yml), so that one caller who sends a byte at a time holds up himself alone.
UNFINISHED_MAX: Final = 64
# Probes wait for no turn: that others take long with theirs is no reason to take the process for dead.
PROBES: Final = frozenset({"/healthz", "/readyz"})


def reading_first(application: WSGIApplication) -> WSGIApplication:
    """The application, called once the whole body has come: nothing that is scarce waits for a slow caller.

    At most one byte more is read than a body may have. Django reads as much as Content-Length says, so it gets the
    length of what came, also where that came in chunks. Only a server that marks the end of its input can be read so.
    """
    unfinished = request_slots.ConcurrencyLimit(UNFINISHED_MAX)
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in PROBES:
            return application(readable(environ), start_response)
        if environ.get("wsgi.input_terminated"):
            with unfinished.enter(client_address.of(environ)) as admitted:
                if not admitted:
                    return _refused(
                        start_response, "503 Service Unavailable", "too many of your requests are unfinished"
                    )
                body = environ["wsgi.input"].read(most)
            if len(body) < min(most, int(environ.get("CONTENT_LENGTH") or 0)):
                return _refused(start_response, "400 Bad Request", "the request is cut short")
            environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        with request_slots.held():
            return application(readable(environ), start_response)

    return wrapped


def _refused(start_response: StartResponse, status: str, why: str) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain"), ("Connection", "close")])
    return [f"{why}\n".encode()]


def readable(environ: WSGIEnvironment) -> WSGIEnvironment:
    """The environment without parameters of the Content-Type that Django could fail to read.

    Those of RFC 2231 (`charset*=...`) may name a character set that nobody knows; no client of ours needs them.
    """
    content_type = environ.get("CONTENT_TYPE", "")
    return {**environ, "CONTENT_TYPE": content_type.partition(";")[0]} if "*" in content_type else environ


_django = get_wsgi_application()  # sets Django up, with its settings
application = reading_first(_django)
