"""The API over real HTTP, called by the standard library's client."""

import http.client
from collections.abc import Mapping
from io import BytesIO
from types import SimpleNamespace
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

import pytest
from pytest_django.live_server_helper import LiveServer

from config.wsgi import application
from mms.models import Message
from tests.api.documents import SEND, failure, request
from tests.wire import SEED

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def exchange(
    server: LiveServer, body: bytes, headers: Mapping[str, str], method: str = "POST"
) -> tuple[int, str, bytes]:
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    connection.request(method, "/ep/v1/", body, dict(headers))
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    return reply.status, reply.headers["Content-Type"], content


@pytest.mark.parametrize("content_type", ["text/xml", "application/x-www-form-urlencoded", None])
def test_seed_request_is_accepted(records: SimpleNamespace, live_server: LiveServer, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    status, answer_type, answer = exchange(live_server, SEED.encode(), headers)
    tracking_id = Message.objects.get().tracking_id
    assert (status, answer_type) == (200, "text/xml; charset=utf-8")
    assert f"<status>Success</status><mms-id>35674</mms-id><tracking-id>{tracking_id}</tracking-id>".encode() in answer


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", failure("E100", "The request body is empty")),
        (b"\xff\xfe\x00", failure(
            "E108",
            "Not well-formed at line 1, column 1: XML starts with &lt;; post it as the body or in the form field xml",
        )),
        (b"<request>" + b"<a>" * 300_000, failure("E108", "Not well-formed at line 1, column 777")),
        (b"<request>" + b" " * 3_000_000, failure("E100", "The request is larger than 2097152 bytes")),
        (request({**SEND, "to": "4047"}), failure(
            "E110",
            "to is not a possible number: 4047; it must start with the country code, without a 0 before or after it",
            "4047",
        )),
    ],
    ids=["empty", "bytes", "deep", "large", "business"],
)  # fmt: skip
def test_invalid_request_gets_the_exact_failure(
    records: SimpleNamespace, live_server: LiveServer, body: bytes, expected: bytes
) -> None:
    assert exchange(live_server, body, {}) == (200, "text/xml; charset=utf-8", expected)


def test_other_method_is_refused(records: SimpleNamespace, live_server: LiveServer) -> None:
    assert exchange(live_server, b"", {}, "GET") == (
        405, "text/xml; charset=utf-8", failure("E100", "POST an XML request")
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (SEED.encode(), b"<status>Success</status>"),
        (b"<request>" + b" " * 3_000_000, b"<error-info>The request is larger than 2097152 bytes</error-info>"),
    ],
    ids=["good", "large"],
)
def test_chunked_request_is_read(records: SimpleNamespace, body: bytes, expected: bytes) -> None:
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/ep/v1/",
        "HTTP_HOST": "localhost",
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
    }
    setup_testing_defaults(environ)
    assert expected in b"".join(application(environ, lambda *_: bytes))
