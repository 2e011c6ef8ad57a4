"""Requests through reverse proxies: the client address and scheme that trusted ones report, and spellings of a door."""

import re
from io import BytesIO
from types import SimpleNamespace
from urllib.parse import urlencode
from wsgiref.util import setup_testing_defaults

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from config import wsgi
from mms.models import Report
from mms.runtime import client_address
from tests.wire import report_body

CREDENTIALS = {"HTTP_AUTHORIZATION": "Basic bW1zYzpyZXBvcnQtc2VjcmV0"}  # those of the fixture `records`
PROXY = "10.0.0.5"


@pytest.fixture(autouse=True)
def _trusted(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/24"]


def report(path: str, body: bytes, **headers: str) -> int:
    """Return the status of a report to this path."""
    reply = Client().post(path, body, content_type="text/xml", **CREDENTIALS, **headers)  # type: ignore[arg-type]
    return reply.status_code


@pytest.mark.parametrize(
    ("header", "value", "client"),
    [
        ("X-Forwarded-For", "192.0.2.1:4711", "192.0.2.1"),
        ("X-Forwarded-For", "[2001:db8::1]:4711", "2001:db8::1"),
        ("X-Forwarded-For", "[2001:DB8::1]", "2001:db8::1"),
        ("X-Forwarded-For", "2001:db8::1", "2001:db8::1"),
        ("X-Forwarded-For", '"192.0.2.1"', "192.0.2.1"),
        ("X-Forwarded-For", "192.0.2.9, 192.0.2.1:80, 10.0.0.7:443", "192.0.2.1"),
        ("X-Forwarded-For", "unknown", "unknown"),
        ("X-Forwarded-For", "", PROXY),
        ("Forwarded", "for=192.0.2.1", "192.0.2.1"),
        ("Forwarded", 'For="[2001:db8::1]:4711";proto=https;by=10.0.0.5', "2001:db8::1"),
        ("Forwarded", 'for="192.0.2.1:80" ; host="a,b", for=10.0.0.7', "192.0.2.1"),
        ("Forwarded", "for=192.0.2.1, for=_hidden", "_hidden"),
        ("Forwarded", "for=192.0.2.1, by=10.0.0.5", "unknown"),
        ("Forwarded", "", PROXY),
    ],
)
def test_client_address_is_read_in_any_spelling(settings: Settings, header: str, value: str, client: str) -> None:
    settings.FORWARDED_HEADER = header
    name = f"HTTP_{header.upper().replace('-', '_')}"
    assert client_address.of_environ({"REMOTE_ADDR": PROXY, name: value}) == client
    assert client_address.of_environ({"REMOTE_ADDR": "192.0.2.7", name: value}) == "192.0.2.7"


def test_header_that_the_proxies_do_not_maintain_is_ignored(settings: Settings) -> None:
    forged = {"REMOTE_ADDR": PROXY, "HTTP_FORWARDED": "for=192.0.2.66;proto=https", "HTTP_X_FORWARDED_FOR": "192.0.2.1"}
    assert client_address.of_environ(forged) == "192.0.2.1"
    assert not client_address.is_secure(forged)
    settings.FORWARDED_HEADER = "Forwarded"
    assert client_address.of_environ(forged) == "192.0.2.66"


@pytest.mark.parametrize("path", ["/mm7/att", "/mm7/att/"])
def test_report_from_behind_a_proxy_is_stored(records: SimpleNamespace, path: str) -> None:
    records.carrier.inbound_networks = ["192.0.2.0/24"]
    records.carrier.save()
    body = report_body("M1", "14044790000", "Retrieved")
    forwarded = {"REMOTE_ADDR": PROXY, "HTTP_X_FORWARDED_FOR": "192.0.2.1:5060"}
    assert report(path, body, **forwarded) == 200
    assert report(path, body, REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR="192.0.3.1:5060") == 403
    assert Report.objects.count() == 1


@pytest.mark.parametrize(
    ("declared", "start", "codec"),
    [
        ("UTF-16", b"", "utf-8"),
        ("klingon", b"", "utf-8"),
        ("UTF-8", b"", "utf-16-le"),
        ("ISO-8859-1", b"\xef\xbb\xbf", "utf-8"),
        ("ISO-8859-1", b"", "latin-1"),
    ],
)
def test_report_is_read_by_its_bytes(records: SimpleNamespace, declared: str, start: bytes, codec: str) -> None:
    xml = (
        report_body("M1", "14044790000", "Retrieved")
        .decode()
        .replace("</MMStatus>", "</MMStatus><StatusText>zugestellt für Sie</StatusText>")
    )
    body = start + f'<?xml version="1.0" encoding="{declared}"?>{xml}'.encode(codec)
    assert report("/mm7/att/", body) == 200
    stored = Report.objects.get()
    assert (stored.mmsc_id, stored.status) == ("M1", "Retrieved")
    assert "für" in stored.text


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize(
    ("header", "secure", "plain"),
    [
        ("X-Forwarded-For", "HTTP_X_FORWARDED_PROTO=https", "HTTP_X_FORWARDED_PROTO=http"),
        ("Forwarded", "HTTP_FORWARDED=for=192.0.2.1;proto=https", "HTTP_FORWARDED=for=192.0.2.1"),
    ],
)
def test_login_through_a_proxy_that_ends_tls_is_accepted(
    settings: Settings, header: str, secure: str, plain: str
) -> None:
    settings.FORWARDED_HEADER, settings.ALLOWED_HOSTS = header, ["mms.example.com"]
    User.objects.create_superuser("ops", password="correct horse")
    status, answered = call("GET", b"")
    token = re.findall("csrftoken=(\\w+)", answered["Set-Cookie"])[0]
    form = urlencode({"username": "ops", "password": "correct horse", "csrfmiddlewaretoken": token}).encode()
    for given, expected in ((plain, "403 Forbidden"), (secure, "302 Found")):
        name, _, value = given.partition("=")
        status, _ = call("POST", form, HTTP_COOKIE=f"csrftoken={token}", **{name: value})
        assert status == expected


def call(method: str, body: bytes, **headers: str) -> tuple[str, dict[str, str]]:
    """Call the login page as a proxy that ended TLS does; return the status and the headers of the answer."""
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/admin/login/",
        "HTTP_HOST": "mms.example.com",
        "HTTP_ORIGIN": "https://mms.example.com",
        "HTTP_REFERER": "https://mms.example.com/admin/login/",
        "REMOTE_ADDR": PROXY,
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        **headers,
    }
    setup_testing_defaults(environ)
    answered: list[tuple[str, dict[str, str]]] = []
    wsgi.application(environ, lambda status, given, *_: answered.append((status, dict(given))))  # type: ignore[arg-type]
    return answered[0]
