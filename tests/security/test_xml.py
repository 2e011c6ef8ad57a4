"""XML that is made to cost: refused without a key, at a price that is bounded."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.test import Client

from mms.mm7.soap import Malformed, read_envelope
from tests.api.documents import failure

SIZE = 2_000_000  # bytes, just under the largest request
DOCTYPES = (
    b'<!DOCTYPE r [<!ENTITY a "x">]><r>&a;</r>',
    b'<!DOCTYPE r SYSTEM "http://127.0.0.1:1/a.dtd"><r/>',
    b'<!DOCTYPE r [<!ENTITY % a SYSTEM "file:///etc/passwd">%a;]><r/>',
    b"<!DOCTYPE r PUBLIC '-//A//B' 'file:///etc/passwd'><r/>",
)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Of processor: a busy machine makes nothing slow."""
    began = time.process_time()
    yield
    assert time.process_time() - began < seconds


def xml(inside: bytes, attributes: bytes = b"") -> bytes:
    return b"<request%b>%b</request>" % (attributes, inside)


def numbered(pattern: bytes) -> bytes:
    """The pattern with numbers, as often as a request has room for it."""
    return b"".join(pattern.replace(b"#", b"%d" % number) for number in range(SIZE // (len(pattern) + 8)))


TOO_MANY = failure("E108", "There are more than 20000 elements")
NO_ACTION = failure("E100", "action is missing")
COSTLY: dict[str, tuple[bytes, bytes]] = {
    "attributes of a slide": (
        xml(b"<slide%b/>" % numbered(b' a#="1"')),
        failure("E108", "slide has more than 100 attributes"),
    ),
    "attributes of the root": (xml(b"", numbered(b' a#="1"')), NO_ACTION),
    "namespaces": (xml(b"", numbered(b' xmlns:a#="urn:#"')), NO_ACTION),
    "attributes in namespaces": (xml(b"", numbered(b' xmlns:a#="urn:#" a#:b="1"')), NO_ACTION),
    "namespaces inside each other": (
        xml(numbered(b'<a xmlns:b#="u">')[:3000] + b"<"), failure("E108", "Not well-formed at line 1, column 3011")
    ),
    "elements that are known": (xml(b"<to/>" * (SIZE // 6)), TOO_MANY),
    "elements of the customer's own": (xml(b"<data>%b</data>" % numbered(b"<a#/>")), TOO_MANY),
    "default namespaces": (xml(numbered(b'<a xmlns="urn:#"/>')), TOO_MANY),
    "sections": (xml(b"<to>%b</to>" % (b"<![CDATA[1]]>" * (SIZE // 14))), NO_ACTION),
    "references": (xml(b"<to>%b</to>" % (b"&#65;" * (SIZE // 6))), NO_ACTION),
    "instructions": (xml(b"<?a b?>" * (SIZE // 8)), NO_ACTION),
    "comments": (xml(b"<!---->" * (SIZE // 8)), NO_ACTION),
    "merge tags": (xml(b"<custom-subject>%b</custom-subject>" % (b"{{ " * (SIZE // 4))), NO_ACTION),
    "long name": (xml(b"<%b/>" % (b"a" * (SIZE // 2))), failure("E108", "Not well-formed at line 1, column 50011")),
}  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), COSTLY.values(), ids=COSTLY)
def test_a_request_of_two_megabytes_costs_no_more_than_a_second(db: None, body: bytes, expected: bytes) -> None:
    with within(1.0):
        assert Client().post("/ep/v1/", body, content_type="text/xml").content == expected


@pytest.mark.parametrize(
    "body",
    [b'{"to":[%b1]}' % (b"1," * (SIZE // 3)), b'{"slide":[%b{}]}' % (b"{}," * (SIZE // 8))],
    ids=["values", "objects"],
)
def test_json_of_two_megabytes_costs_no_more_than_a_second(db: None, body: bytes) -> None:
    with within(1.0):
        reply = Client().generic("POST", "/ep/v2/", body).json()
    assert (reply["error-code"], reply["error-info"]) == ("E108", "There are more than 20000 values")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("body", DOCTYPES)
def test_no_encoding_hides_a_document_type(db: None, body: bytes, encoding: str) -> None:
    mark = b"" if encoding == "utf-8" else "\ufeff".encode(encoding)
    document = mark + body.decode().encode(encoding)
    assert b"<error-code>E108</error-code>" in Client().post("/ep/v1/", document, content_type="text/xml").content
    with pytest.raises(Malformed, match="document type"):
        read_envelope("text/xml", document)


@pytest.mark.parametrize("declared", ["UTF-7", "UTF-32", "cp037", "idna", "punycode", "unicode_escape", "rot13"])
def test_an_odd_encoding_is_not_read_as_what_it_is_not(db: None, declared: str) -> None:
    body = f'<?xml version="1.0" encoding="{declared}"?><request><to>+ADw-action+AD4-</to></request>'.encode()
    reply = Client().post("/ep/v1/", body, content_type="text/xml").content
    assert b"Failure" in reply
    assert b"&lt;" not in reply
    assert b"<action>" not in reply


@pytest.mark.parametrize("parameter", ["charset*=klingon''x", "charset=klingon", "boundary*0=a; boundary*2=b", "=;;*="])
def test_a_content_type_that_django_cannot_read_does_no_harm(db: None, parameter: str) -> None:
    from config.wsgi import readable

    environ = {"CONTENT_TYPE": f"text/xml; {parameter}"}
    reply = Client().post("/ep/v1/", b"<request/>", content_type=str(readable(environ)["CONTENT_TYPE"]))
    assert reply.content == NO_ACTION
