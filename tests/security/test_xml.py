"""Costly XML and JSON is refused without a key, within bounded processor time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.test import Client

from config.wsgi import application
from mms.mm7.soap import Malformed, read_envelope

SIZE = 2_000_000  # bytes, just under the largest request
DOCTYPES = (
    b'<!DOCTYPE r [<!ENTITY a "x">]><r>&a;</r>',
    b'<!DOCTYPE r SYSTEM "http://127.0.0.1:1/a.dtd"><r/>',
    b'<!DOCTYPE r [<!ENTITY % a SYSTEM "file:///etc/passwd">%a;]><r/>',
    b"<!DOCTYPE r PUBLIC '-//A//B' 'file:///etc/passwd'><r/>",
)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Limit the processor time, so that other load does not matter."""
    began = time.process_time()
    yield
    assert time.process_time() - began < seconds


def xml(inside: bytes, attributes: bytes = b"") -> bytes:
    return b"<request%b>%b</request>" % (attributes, inside)


def numbered(pattern: bytes) -> bytes:
    """Repeat the pattern with increasing numbers, up to the largest request."""
    return b"".join(pattern.replace(b"#", b"%d" % number) for number in range(SIZE // (len(pattern) + 8)))


COSTLY: dict[str, tuple[bytes, str]] = {
    "attributes of a slide": (xml(b"<slide%b/>" % numbered(b' a#="1"')), "E108"),
    "attributes of the root": (xml(b"", numbered(b' a#="1"')), "E100"),
    "namespaces": (xml(b"", numbered(b' xmlns:a#="urn:#"')), "E100"),
    "attributes in namespaces": (xml(b"", numbered(b' xmlns:a#="urn:#" a#:b="1"')), "E100"),
    "namespaces inside each other": (xml(numbered(b'<a xmlns:b#="u">')), "E108"),
    "elements that are known": (xml(b"<to/>" * (SIZE // 6)), "E108"),
    "elements of the customer's own": (xml(b"<data>%b</data>" % numbered(b"<a#/>")), "E108"),
    "default namespaces": (xml(numbered(b'<a xmlns="urn:#"/>')), "E108"),
    "sections": (xml(b"<to>%b</to>" % (b"<![CDATA[1]]>" * (SIZE // 14))), "E100"),
    "references": (xml(b"<to>%b</to>" % (b"&#65;" * (SIZE // 6))), "E100"),
    "instructions": (xml(b"<?a b?>" * (SIZE // 8)), "E100"),
    "comments": (xml(b"<!---->" * (SIZE // 8)), "E100"),
    "merge tags": (xml(b"<custom-subject>%b</custom-subject>" % (b"{{ " * (SIZE // 4))), "E100"),
    "long name": (xml(b"<%b/>" % (b"a" * (SIZE // 2))), "E108"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "code"), COSTLY.values(), ids=COSTLY)
def test_costly_xml_is_refused_cheaply(db: None, body: bytes, code: str) -> None:
    with within(2.0):
        reply = Client().post("/ep/v1/", body, content_type="text/xml").content
    assert f"<error-code>{code}</error-code>".encode() in reply


@pytest.mark.parametrize(
    "body",
    [b'{"to":[%b1]}' % (b"1," * (SIZE // 3)), b'{"slide":[%b{}]}' % (b"{}," * (SIZE // 8))],
    ids=["values", "objects"],
)
def test_costly_json_is_refused_cheaply(db: None, body: bytes) -> None:
    with within(2.0):
        reply = Client().generic("POST", "/ep/v2/", body).json()
    assert (reply["error-code"], reply["error-info"]) == ("E108", "The request has more than 20000 values")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("body", DOCTYPES)
def test_document_type_is_refused_in_any_encoding(db: None, body: bytes, encoding: str) -> None:
    mark = b"" if encoding == "utf-8" else "\ufeff".encode(encoding)
    document = mark + body.decode().encode(encoding)
    assert b"<error-code>E108</error-code>" in Client().post("/ep/v1/", document, content_type="text/xml").content
    with pytest.raises(Malformed, match="document type"):
        read_envelope("text/xml", document)


@pytest.mark.parametrize("declared", ["UTF-7", "UTF-32", "cp037", "idna", "punycode", "unicode_escape", "rot13"])
def test_unsupported_encoding_is_refused(db: None, declared: str) -> None:
    body = f'<?xml version="1.0" encoding="{declared}"?><request><to>+ADw-action+AD4-</to></request>'.encode()
    reply = Client().post("/ep/v1/", body, content_type="text/xml").content
    assert b"Failure" in reply
    assert b"&lt;" not in reply
    assert b"<action>" not in reply


@pytest.mark.parametrize("parameter", ["charset*=klingon''x", "boundary*0=a; boundary*2=b", "=;;*=", "*"])
def test_malformed_content_type_is_ignored(db: None, parameter: str) -> None:
    environ: dict[str, Any] = {
        "PATH_INFO": "/ep/v1/",
        "REQUEST_METHOD": "POST",
        "HTTP_HOST": "localhost",
        "CONTENT_TYPE": f"text/xml; {parameter}",
        "wsgi.input": BytesIO(b"<request/>"),
        "wsgi.input_terminated": True,
    }
    setup_testing_defaults(environ)
    answered = b"".join(application(environ, lambda *_: bytes))
    assert b"<error-info>action is missing</error-info>" in answered
