"""Requests and answers of the chaos customers in each dialect."""

import pytest

from simulator.chaos.dialects import Fields, ParsedAnswer, build_request, parse_answer
from simulator.chaos.send_requests import Endpoint

FIELDS: Fields = [
    ("action", "sendMMS"),
    ("ddm-force", "true"),
    ("client-reference", "a&b"),
    ("slide", [("image", [("url", "http://p/1.jpg")]), ("message-text", "Hello")]),
]


@pytest.mark.parametrize(
    ("endpoint", "path", "body"),
    [
        (
            Endpoint.SINCH,
            "/ep/v1/",
            (
                b"<request><action>sendMMS</action><ddm-force>true</ddm-force><client-reference>a&amp;b</client-reference>"
                b"<slide><image><url>http://p/1.jpg</url></image><message-text>Hello</message-text></slide>"
                b"<api-key>k</api-key></request>"
            ),
        ),
        (
            Endpoint.SKYCORE,
            "/API/wxml/1.3/",
            (
                b"<REQUEST><ACTION>sendMMS</ACTION><DDMFORCE>yes</DDMFORCE><CLIENTREFERENCE>a&amp;b</CLIENTREFERENCE>"
                b"<SLIDE><IMAGE><URL>http://p/1.jpg</URL></IMAGE><TEXT>Hello</TEXT></SLIDE><API_KEY>k</API_KEY></REQUEST>"
            ),
        ),
        (
            Endpoint.JSON,
            "/ep/v2/",
            (
                b'{"action": "sendMMS", "ddm-force": "true", "client-reference": "a&b", '
                b'"slide": {"image": {"url": "http://p/1.jpg"}, "message-text": "Hello"}}'
            ),
        ),
    ],
)
def test_request_is_built_in_each_dialect(endpoint: Endpoint, path: str, body: bytes) -> None:
    request = build_request(endpoint, "k", FIELDS, {"Idempotency-Key": "i"})

    assert (request.method, request.path, request.body) == ("POST", path, body)
    assert request.headers["Idempotency-Key"] == "i"
    assert (request.headers.get("x-api-key") == "k") == (endpoint is Endpoint.JSON)


def test_request_is_built_for_get() -> None:
    request = build_request(Endpoint.GET, "k", FIELDS[:3], {})

    path = "/API/wxml/1.3/?action=sendMMS&ddmforce=yes&clientreference=a%26b&api_key=k"
    assert (request.method, request.path, request.body) == ("GET", path, b"")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b"<response><status>Success</status><mms-id>7</mms-id><tracking-id>T</tracking-id></response>",
            ParsedAnswer("Success", "T", "", "7"),
        ),
        (
            b"<RESPONSE><STATUS>Success</STATUS><TRACKINGID>T</TRACKINGID></RESPONSE>",
            ParsedAnswer("Success", "T"),
        ),
        (b'{"status": "Failure", "error-code": "E713"}', ParsedAnswer("Failure", code="E713")),
        (b"<html>", ParsedAnswer()),
        (b"", ParsedAnswer()),
        (b"{", ParsedAnswer()),
    ],
)
def test_answer_is_parsed_in_each_dialect(body: bytes, expected: ParsedAnswer) -> None:
    assert parse_answer(body) == expected
