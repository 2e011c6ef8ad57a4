"""Requests through the WSGI application, with its request slots."""

from contextlib import closing, nullcontext
from io import BytesIO
from wsgiref.util import setup_testing_defaults

from django.http.response import HttpResponseBase

from config.wsgi import application


def call_wsgi(body: bytes, client: str = "127.0.0.1") -> bytes:
    """Post a request in Sinch XML, and return the answer."""
    called = {"REMOTE_ADDR": client, "REQUEST_METHOD": "POST", "PATH_INFO": "/ep/v1/", "HTTP_HOST": "localhost"}
    environ = {**called, "CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)}
    setup_testing_defaults(environ)
    answered = application(environ, lambda *_: bytes)
    with closing(answered) if isinstance(answered, HttpResponseBase) else nullcontext():
        return b"".join(answered)
