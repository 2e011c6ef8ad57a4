"""Requests through the WSGI application, with its request slots."""

from contextlib import closing
from io import BytesIO
from wsgiref.util import setup_testing_defaults

from config.wsgi import application


def call_wsgi(body: bytes) -> bytes:
    """Post a request in Sinch XML, and return the answer."""
    called = {"REQUEST_METHOD": "POST", "PATH_INFO": "/ep/v1/", "HTTP_HOST": "localhost"}
    environ = {**called, "CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)}
    setup_testing_defaults(environ)
    with closing(application(environ, lambda *_: bytes)) as answered:  # type: ignore[type-var]  # Django's can be
        return b"".join(answered)
