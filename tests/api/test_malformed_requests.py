"""Malformed requests, unusual but valid ones, and wrong methods and headers."""

import codecs
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.test import Client

from mms.models import Message
from tests.api.documents import KEY, SEND, failure, request

CallApi = Callable[[bytes], bytes]

GOOD = request(SEND)
DECLARATION = '<?xml version="1.0" encoding="{}"?>'
NO_DTD = "A document type declaration is not allowed"
NO_REQUEST = "The request body is empty"
LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "lol"}">' for n in range(10))
MEGABYTE = 1_000_000


def not_well_formed(line: int, column: int, reason: str = "") -> bytes:
    because = f": {reason}" if reason else ""
    return failure("E108", f"Not well-formed at line {line}, column {column}{because}")


def with_subject(text: str) -> str:
    return request({**SEND, "custom-subject": text}).decode()


ESCAPED = "write &amp; as &amp;amp; and &lt; as &amp;lt; in text"
NO_XML = "XML starts with &lt;; post it as the body or in the form field xml"
INCOMPLETE = "the document is incomplete"
TRAILING = "there is content after the root element"
END_TAG = "the end tag does not match its start tag"
CHARACTER = "this character is not allowed in XML"
BYTES = "the bytes do not match the declared encoding, or UTF-8 if none is declared"
CONTRADICTED = "white space is missing, or the bytes are not in the declared encoding"
ENTITY = "the entity is unknown; write the character itself"
NOT_WELL_FORMED: dict[str, tuple[bytes, bytes]] = {
    "cut off": (b"<request>", not_well_formed(1, 10, INCOMPLETE)),
    "wrong end tag": (b"<request>\n  <to>1</from>\n</request>", not_well_formed(2, 15, END_TAG)),
    "after white space": (b"  <request>", not_well_formed(1, 12, INCOMPLETE)),
    "after blank lines": (b"\r\n\n  <request>", not_well_formed(3, 12, INCOMPLETE)),
    "after a BOM": (codecs.BOM_UTF8 + b"\n <request>\n<", not_well_formed(3, 2, ESCAPED)),
    "BOM alone": (codecs.BOM_UTF8, not_well_formed(1, 1, NO_XML)),
    "columns count characters": ("<request>日本<a></request>".encode(), not_well_formed(1, 25, END_TAG)),
    "two roots": (b"<request/><request/>", not_well_formed(1, 11, TRAILING)),
    "text": (b"Hello", not_well_formed(1, 1, NO_XML)),
    "JSON": (b'{"to": "14044790000"}', not_well_formed(1, 1, NO_XML)),
    "form without the field": (b"to=14044790000&from=28444", not_well_formed(1, 1, NO_XML)),
    "gzip": (b"\x1f\x8b\x08\x00\x00", not_well_formed(1, 1, NO_XML)),
    "NUL": (b"\x00", not_well_formed(1, 1, NO_XML)),
    "NUL in text": (b"<request>a\x00</request>", not_well_formed(1, 11, CHARACTER)),
    "control character": (b"<request>\x08</request>", not_well_formed(1, 10, CHARACTER)),
    "NUL by reference": (b"<request>&#0;</request>", not_well_formed(1, 14, CHARACTER)),
    "surrogate by reference": (b"<request>&#xD800;</request>", not_well_formed(1, 18, CHARACTER)),
    "invalid UTF-8": (b"<request>\xe9</request>", not_well_formed(1, 10, BYTES)),
    "invalid UTF-8, declared": (
        DECLARATION.format("UTF-8").encode() + b"<request>\xe9</request>",
        not_well_formed(1, 48, BYTES),
    ),
    "encoded surrogate": (b"<request>\xed\xa0\x80</request>", not_well_formed(1, 10, BYTES)),
    "unknown encoding": (
        DECLARATION.format("klingon").encode() + b"<request>\xe9</request>",
        not_well_formed(1, 39, "the declared encoding is unknown"),
    ),
    "UTF-16 declared, Latin-1 used": (
        DECLARATION.format("UTF-16").encode() + b"<request>\xe9</request>",
        not_well_formed(1, 38, CONTRADICTED),
    ),
    "UTF-16 cut off": (GOOD.decode().encode("utf-16-le")[:-1], not_well_formed(1, 2, CHARACTER)),
    "& after a wrong declaration": (
        DECLARATION.format("UTF-16").encode() + b"<request>A & B</request>",
        not_well_formed(1, 52, ESCAPED),
    ),
    "unknown entity": (b"<request>&writer;</request>", not_well_formed(1, 18, ENTITY)),
    "bare &": (b"<request>A & B</request>", not_well_formed(1, 13, ESCAPED)),
    "& in an address": (b"<request>/?a=1&b=2</request>", not_well_formed(1, 17, ESCAPED)),
    "bare <": (b"<request>a < b</request>", not_well_formed(1, 13, ESCAPED)),
    "unknown prefix": (b"<x:request/>", not_well_formed(1, 11)),
    "doubled attribute": (b'<request a="1" a="2"/>', not_well_formed(1, 21)),
    "nested 256 times": (b"<request>" + b"<a>" * (MEGABYTE // 3), not_well_formed(1, 777)),
    "nested, of known names": (
        b"<request>" + b"<slide>" * 10 + b"</slide>" * 10 + b"</request>",
        failure("E108", "Elements are nested more than 10 levels deep"),
    ),
    "entities in entities": (
        f"<!DOCTYPE request [{LAUGHS}]><request><to>&a9;</to></request>".encode(),
        not_well_formed(1, 5),
    ),
    "internal entity": (
        b'<!DOCTYPE request [<!ENTITY to "14044790000">]><request><to>&to;</to></request>',
        failure("E108", NO_DTD),
    ),
    "external entity": (
        b'<!DOCTYPE request [<!ENTITY to SYSTEM "file:///etc/passwd">]><request><to>&to;</to></request>',
        failure("E108", NO_DTD),
    ),
    "parameter entity": (
        b'<!DOCTYPE request [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><request/>',
        failure("E108", NO_DTD),
    ),
    "external DTD": (b'<!DOCTYPE request SYSTEM "http://127.0.0.1:1/request.dtd"><request/>', failure("E108", NO_DTD)),
    "bare document type": (b"<!DOCTYPE request>" + GOOD, failure("E108", NO_DTD)),
}
NON_REQUESTS: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", failure("E100", NO_REQUEST)),
    "white space": (b" \r\n\t", failure("E100", NO_REQUEST)),
    "answer": (b"<response/>", failure("E100", "The root element must be request or REQUEST")),
    "wrong case": (b"<Request/>", failure("E100", "The root element must be request or REQUEST")),
    "empty request": (b"<request/>", failure("E100", "action is missing")),
    "attributes": (b"<request " + b" ".join(b'a%d="1"' % n for n in range(MEGABYTE // 10)) + b"/>",
                   failure("E100", "action is missing")),
    "long attribute": (b'<request a="' + b"x" * MEGABYTE + b'"/>', failure("E100", "action is missing")),
    "many elements": (b"<request>" + b"<a/>" * (MEGABYTE // 4) + b"</request>",
                      failure("E108", "The request has more than 20000 elements")),
    "too large": (b"<request>" + b" " * 3 * MEGABYTE + b"</request>",
                  failure("E100", "The request is larger than 2097152 bytes")),
}  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), NOT_WELL_FORMED.values(), ids=NOT_WELL_FORMED)
def test_malformed_xml_is_refused_with_its_position(call_api: CallApi, body: bytes, expected: bytes) -> None:
    assert call_api(body) == expected


@pytest.mark.parametrize(("body", "expected"), NON_REQUESTS.values(), ids=NON_REQUESTS)
def test_non_request_is_refused_with_a_reason(call_api: CallApi, body: bytes, expected: bytes) -> None:
    assert call_api(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        codecs.BOM_UTF8 + GOOD,
        b"\n\r\n " + DECLARATION.format("utf-8").encode() + GOOD,
        codecs.BOM_UTF8 + b"\n" + DECLARATION.format("UTF-8").encode() + GOOD,
        DECLARATION.format("UTF-16").encode() + GOOD,
        DECLARATION.format("klingon").encode() + GOOD,
        DECLARATION.format("IBM037").encode() + GOOD,
        (DECLARATION.format("UTF-8") + GOOD.decode()).encode("utf-16"),
        (DECLARATION.format("UTF-8") + GOOD.decode()).encode("utf-16-be"),
        GOOD.decode().encode("utf-16-le"),
        b"<!-- sent by a shop --><?shop 7?>" + GOOD + b"<!-- end -->\n",
        GOOD.replace(b"<request>", b'<request xmlns="http://www.example.com/mms">'),
        GOOD.replace(b"request>", b"m:request>").replace(b"<m:request>", b'<m:request xmlns:m="urn:m">', 1),
        GOOD.replace(b"<request>", b'<request version="1">'),
        GOOD.replace(b"</request>", b"<unknown><to>1</to>a<b/></unknown><TO>1</TO><api_key>1</api_key></request>"),
        request({name: SEND[name] for name in reversed([*SEND])}),
        request({**SEND, "action": "SENDSAVEDMMS"}),
        request({**SEND, "action": "\n  sendsavedmms\n"}),
        request({**SEND, "to": " \n\t+14044790000 "}),
        request({**SEND, "from": " +28444"}),
        request({**SEND, "to": "<![CDATA[1404]]>479<!-- area code --><?x?>0000"}),
        request({**SEND, "api-key": f"<![CDATA[{KEY}]]>"}),
        request({**SEND, "mms-id": "&#51;5674"}),
    ],
)
def test_unusual_but_valid_xml_is_accepted(call_api: CallApi, body: bytes) -> None:
    assert b"<to>14044790000</to><from>28444</from>" in call_api(body)


@pytest.mark.parametrize(
    ("declared", "start", "codec"),
    [
        ("UTF-16", b"", "utf-8"),
        ("US-ASCII", b"", "utf-8"),
        ("ISO-8859-1", codecs.BOM_UTF8, "utf-8"),
        ("ISO-8859-1", codecs.BOM_UTF16_LE, "utf-16-le"),
        ("ISO-8859-1", b"", "latin-1"),
    ],
)
def test_bytes_take_precedence_over_the_declaration(call_api: CallApi, declared: str, start: bytes, codec: str) -> None:
    body = DECLARATION.format(declared) + with_subject("Frühling")
    assert b"Success" in call_api(start + body.encode(codec))
    assert Message.objects.get().subject == "Frühling"


@pytest.mark.parametrize(
    ("document", "encoding"),
    [
        (with_subject("Olá"), "utf-8"),
        (DECLARATION.format("utf-8") + with_subject("Olá €"), "utf-8"),
        (DECLARATION.format("ISO-8859-1") + with_subject("Olá"), "latin-1"),
        (DECLARATION.format("windows-1252") + with_subject("Olá €"), "cp1252"),
        (DECLARATION.format("UTF-16") + with_subject("Olá €"), "utf-16"),
        (with_subject("Olá €"), "utf-16"),
        (DECLARATION.format("Shift_JIS") + with_subject("ΔΣ"), "shift_jis"),
    ],
)
def test_declared_encoding_is_used(call_api: CallApi, document: str, encoding: str) -> None:
    assert b"Success" in call_api(document.encode(encoding))
    assert f"<custom-subject>{Message.objects.get().subject}</custom-subject>" in document


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/json",
        "text/xml; charset=klingon",
        "nonsense",
        "",
    ],
)
def test_content_type_is_ignored(records: SimpleNamespace, content_type: str) -> None:
    reply = Client().generic("POST", "/ep/v1/", GOOD, content_type=content_type)
    assert b"<status>Success</status>" in reply.content


@pytest.mark.parametrize("accept", ["application/json", "text/html", "nonsense", "*/*;q=0"])
def test_accept_header_is_ignored(records: SimpleNamespace, accept: str) -> None:
    reply = Client().post("/ep/v1/?format=json", GOOD, content_type="text/xml", headers={"accept": accept})
    assert (reply.status_code, reply["Content-Type"]) == (200, "text/xml; charset=utf-8")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "SPRING"])
def test_methods_other_than_post_are_refused(db: None, method: str) -> None:
    reply = Client().generic(method, "/ep/v1/", GOOD, content_type="text/xml")
    assert (reply.status_code, reply["Allow"]) == (405, "POST")
    assert reply.content == failure("E100", "POST an XML request")
