"""How the customers of the chaos write their requests, exactly, and read their answers."""

import pytest

from simulator.chaos.orders import Door
from simulator.chaos.requests import Fields, Read, read, write

FIELDS: Fields = [
    ("action", "sendMMS"),
    ("ddm-force", "true"),
    ("client-reference", "a&b"),
    ("slide", [("image", [("url", "http://p/1.jpg")]), ("message-text", "Hello")]),
]


@pytest.mark.parametrize(
    ("door", "path", "body"),
    [
        (
            Door.SINCH,
            "/ep/v1/",
            (
                b"<request><action>sendMMS</action><ddm-force>true</ddm-force><client-reference>a&amp;b</client-reference>"
                b"<slide><image><url>http://p/1.jpg</url></image><message-text>Hello</message-text></slide>"
                b"<api-key>k</api-key></request>"
            ),
        ),
        (
            Door.SKYCORE,
            "/API/wxml/1.3/",
            (
                b"<REQUEST><ACTION>sendMMS</ACTION><DDMFORCE>yes</DDMFORCE><CLIENTREFERENCE>a&amp;b</CLIENTREFERENCE>"
                b"<SLIDE><IMAGE><URL>http://p/1.jpg</URL></IMAGE><TEXT>Hello</TEXT></SLIDE><API_KEY>k</API_KEY></REQUEST>"
            ),
        ),
        (
            Door.JSON,
            "/ep/v2/",
            (
                b'{"action": "sendMMS", "ddm-force": "true", "client-reference": "a&b", '
                b'"slide": {"image": {"url": "http://p/1.jpg"}, "message-text": "Hello"}}'
            ),
        ),
    ],
)
def test_a_request_in_each_dialect(door: Door, path: str, body: bytes) -> None:
    written = write(door, "k", FIELDS, {"Idempotency-Key": "i"})

    assert (written.method, written.path, written.body) == ("POST", path, body)
    assert written.headers["Idempotency-Key"] == "i"
    assert (written.headers.get("x-api-key") == "k") == (door is Door.JSON)


def test_a_request_by_get() -> None:
    written = write(Door.GET, "k", FIELDS[:3], {})

    path = "/API/wxml/1.3/?action=sendMMS&ddmforce=yes&clientreference=a%26b&api_key=k"
    assert (written.method, written.path, written.body) == ("GET", path, b"")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b"<response><status>Success</status><mms-id>7</mms-id><tracking-id>T</tracking-id></response>",
            Read("Success", "T", "", "7"),
        ),
        (
            b"<RESPONSE><STATUS>Success</STATUS><TRACKINGID>T</TRACKINGID></RESPONSE>",
            Read("Success", "T"),
        ),
        (b'{"status": "Failure", "error-code": "E713"}', Read("Failure", code="E713")),
        (b"<html>", Read()),
        (b"", Read()),
        (b"{", Read()),
    ],
)
def test_an_answer_in_each_dialect(body: bytes, expected: Read) -> None:
    assert read(body) == expected
