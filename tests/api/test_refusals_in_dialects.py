"""Failures use the customer's dialect: its error codes, and parameter names as the customer wrote them."""

from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

from tests.api.dialect_requests import JSON, PAIRS, SKYCORE, SKYCORE_SAVE, XML_DECLARATION, get, post, post_json
from tests.api.documents import KEY, NUMBER, file
from tests.scripted import serving

pytestmark = pytest.mark.usefixtures("public_loopback")


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/API/wxml/1.3/", b"", ("<RESPONSE><STATUS>Failure</STATUS><ERRORCODE>E100</ERRORCODE>"
         "<ERRORINFO>The request body is empty</ERRORINFO></RESPONSE>")),
        ("/API/wxml/1.3/", b"<Request/>", ("<RESPONSE><STATUS>Failure</STATUS><ERRORCODE>E100</ERRORCODE>"
         "<ERRORINFO>The root element must be request or REQUEST</ERRORINFO></RESPONSE>")),
        ("/API/wxml/1.3/", b"a=" + b"&a=" * 200, ("<RESPONSE><STATUS>Failure</STATUS><ERRORCODE>E108</ERRORCODE>"
         "<ERRORINFO>Not well-formed at line 1, column 1: XML starts with &lt;; post it as the body or in the form"
         " field xml</ERRORINFO></RESPONSE>")),
        ("/API/wxml/1.3/", b"<request/>", ("<response><status>Failure</status><error-code>E100</error-code>"
         "<error-info>action is missing</error-info></response>")),
        ("/ep/v1/", b"<REQUEST><TO>1</TO></REQUEST>", ("<RESPONSE><STATUS>Failure</STATUS><ERRORCODE>E100</ERRORCODE>"
         "<TO>1</TO><ERRORINFO>ACTION is missing</ERRORINFO></RESPONSE>")),
        ("/ep/v1/", b"<?xml version='1.0'?><!-- a --><REQUEST><TO>1", (
         "<RESPONSE><STATUS>Failure</STATUS><ERRORCODE>E108</ERRORCODE>"
         "<ERRORINFO>Not well-formed at line 1, column 46: the document is incomplete</ERRORINFO></RESPONSE>")),
        ("/ep/v1/", b"xml=%3CREQUEST%3E", ("<RESPONSE><STATUS>Failure</STATUS><ERRORCODE>E108</ERRORCODE>"
         "<ERRORINFO>Not well-formed at line 1, column 10: the document is incomplete</ERRORINFO></RESPONSE>")),
        ("/API/wxml/1.3/", b"<request>&</request>", (
         "<response><status>Failure</status><error-code>E108</error-code><error-info>Not well-formed at line 1, column"
         " 11: write &amp; as &amp;amp; and &lt; as &amp;lt; in text</error-info></response>")),
        ("/ep/v1/", b"<REQUEST>" + b"<SLIDE>" * 10 + b"</SLIDE>" * 10 + b"</REQUEST>", (
         "<RESPONSE><STATUS>Failure</STATUS><ERRORCODE>E108</ERRORCODE>"
         "<ERRORINFO>Elements are nested more than 10 levels deep</ERRORINFO></RESPONSE>")),
        ("/ep/v1/", b"xml=%3Crequest%3E", ("<response><status>Failure</status><error-code>E108</error-code>"
         "<error-info>Not well-formed at line 1, column 10: the document is incomplete</error-info></response>")),
    ],
)  # fmt: skip
def test_failure_uses_the_dialect_of_the_request_or_endpoint(
    records: SimpleNamespace, path: str, body: bytes, expected: str
) -> None:
    assert post(path, body, "text/xml")[1].decode() == XML_DECLARATION + expected


@pytest.mark.parametrize(
    ("change", "code", "info"),
    [
        ({"to": ""}, "E110", "to is missing"),
        ({"mmsid": ""}, "E620", "mmsid is missing"),
        ({"mmsid": "1"}, "E241", "There is no mmsid 1 in this account"),
        ({"campaignref": "x"}, "E627", "campaignref is not defined for this account: x"),
        ({"ddmtimeout": "x"}, "E100", "ddmtimeout must be a whole number of minutes from 1 to 4320"),
        ({"disablefallbacksms": "maybe"}, "E100", "disablefallbacksms must be yes or no"),
        ({"customtext_9": "x"}, "E100", "customtext: there is no slide 9; the number of slides is 2"),
        ({"customtext_": "x"}, "E100", "customtext: slide is missing"),
        ({"operatorid": "x"}, "E650", "operatorid must be a whole number of at most 9 digits"),
        ({"spid": "31002"}, "E650", "operatorid and spid mean the same; send only one of them"),
        (
            {"fallback_sms_text": "x"},
            "E100",
            "fallbacksmstext and fallback_sms_text mean the same; send only one of them",
        ),
        ({"api_key": "x"}, "E104", "api_key is unknown"),
        ({"action": ""}, "E100", "action is missing"),
        ({"customsubject": "a\x00"}, "E100", "customsubject contains the character U+0000, which is not allowed"),
        ({"data_a\x1b": "b"}, "E100", "a contains the character U+001B, which is not allowed"),
    ],
)
def test_get_failure_names_the_parameter_as_written(
    records: SimpleNamespace, change: dict[str, str], code: str, info: str
) -> None:
    answer = get(urlencode(PAIRS | change)).decode()
    assert f"<ERRORCODE>{code}</ERRORCODE>" in answer
    assert f"<ERRORINFO>{info}</ERRORINFO>" in answer


@pytest.mark.parametrize(
    ("query", "code", "info"),
    [
        ("", "E100", "The request is empty: it has neither a body nor parameters"),
        ("to=%FF", "E108", "Not well-formed: the query must be percent-encoded UTF-8"),
        ("a=1&" * 1001 + "a=1", "E100", "The query has more than 1000 parameters"),
        ("to=1&to=2", "E100", "action is missing"),
    ],
)
def test_invalid_query_is_refused(records: SimpleNamespace, query: str, code: str, info: str) -> None:
    answer = get(query).decode()
    assert f"<ERRORCODE>{code}</ERRORCODE>" in answer
    assert f"<ERRORINFO>{info}</ERRORINFO>" in answer


@pytest.mark.parametrize(
    ("body", "code", "info"),
    [
        (b"", "E100", "The request body is empty"),
        (b"<request/>", "E108", "Not well-formed at line 1, column 1: Expecting value"),
        (b'{"to": }', "E108", "Not well-formed at line 1, column 8: Expecting value"),
        (b'{"to": NaN}', "E108", "Not well-formed: NaN is not a JSON value"),
        (b'{"to": "\xff"}', "E108", "Not well-formed: JSON must be in UTF-8"),
        (b"[" * 100_000, "E108", "Not well-formed: it is nested too deeply"),
        (b'{"slide":' * 20 + b"1" + b"}" * 20, "E108", "Objects are nested more than 10 levels deep"),
        (b"[]", "E100", "The request must be a JSON object"),
        (b"7", "E100", "The request must be a JSON object"),
        (b"{}", "E100", "action is missing"),
        (JSON | {"to": [NUMBER, NUMBER]}, "E110", "to is given more than once"),
        (JSON | {"to": {}}, "E110", "to must contain only text"),
        (JSON | {"to": [[1]]}, "E100", "to contains an array within an array"),
        (JSON | {"to": "\ud800"}, "E100", "to contains the character U+D800, which is not allowed"),
        (JSON | {"data": {"a\x00": "b"}}, "E100", "a contains the character U+0000, which is not allowed"),
        (JSON | {"data": {"a\x00": True}}, "E100", "a contains the character U+0000, which is not allowed"),
        (JSON | {"data": {"a\ud800": False}}, "E100", "a contains the character U+D800, which is not allowed"),
        (JSON | {"service-id": None}, "E627", "service-id is missing"),
        (JSON | {"message-subject": "x" * 81}, "E314",
         "message-subject: the subject has 81 characters; at most 80 are allowed"),
        (JSON | {"custom-slides": {"custom-slide": 1}}, "E100",
         "slide 1, custom-slides: custom-message-text is missing"),
        (JSON | {"operator-id": 1.5}, "E650", "operator-id must be a whole number of at most 9 digits"),
        (JSON | {"ddm-force": "yes"}, "E100", "ddm-force must be true or false"),
        (JSON | {"from-mask": "12345"}, "E100",
         "from-mask must be 1 to 11 letters, digits, underscores or hyphens, and not only digits"),
        (JSON | {"mms-expiry-timestamp": "tomorrow"}, "E100",
         "mms-expiry-timestamp must be an ISO 8601 date or time, such as 2026-11-22T12:57:35Z"),
        (JSON | {"mms-expiry-timestamp": "2001-01-01"}, "E100",
         "mms-expiry-timestamp must be in the future; 2001-01-01T00:00:00Z is in the past"),
        (JSON | {"fallback-sms-link-expiration": "9999-12-31"}, "E100",
         "fallback-sms-link-expiration must be within 366 days from now"),
        (JSON | {"action": "sendMMS", "name": "a", "slide": {"contact": {}, "calendar": {}}}, "E223",
         "slide 1: contact and calendar cannot be in the same slide; use two slides"),
        (JSON | {"action": "sendMMS", "name": "", "slide": {}}, "E311", "name must have 1 to 200 characters"),
    ],
)  # fmt: skip
def test_json_failure_names_the_parameter_as_written(
    records: SimpleNamespace, body: object, code: str, info: str
) -> None:
    answer = post_json(body)
    assert (answer["status"], answer["error-code"], answer["error-info"]) == ("Failure", code, info)


@pytest.mark.parametrize("invalid", ["\ud800", "\x00", "\ufffe"])
def test_answer_is_valid_json_for_any_request_names(records: SimpleNamespace, invalid: str) -> None:
    not_allowed = f"a contains the character U+{ord(invalid):04X}, which is not allowed"
    for value, info in ((True, not_allowed), ({"b": 1}, not_allowed), ([[1]], "a contains an array within an array")):
        assert post_json(JSON | {"data": {f"a{invalid}": value}})["error-info"] == info


def test_answer_is_valid_json_for_any_content_type(records: SimpleNamespace) -> None:
    with serving(file(content_type="text/\xff")) as web:
        slide = {"image": {"url": f"{web.url}/a.jpg"}}
        answer = post_json({"action": "saveMMS", "name": "a", "message-subject": "a", "slide": slide})
    expected = "slide 1: the file is image/jpeg, but its server declares text/; correct the Content-Type"
    assert answer["error-info"] == expected


def test_json_failure_names_the_key_header(records: SimpleNamespace) -> None:
    assert post_json(JSON, key="") == {
        "status": "Failure", "error-code": "E104", "to": NUMBER, "error-info": "x-api-key is missing"
    }  # fmt: skip
    assert post_json({**JSON, "x-api-key": KEY}, key="")["error-code"] == "E104"


REPLAY_FAILURES: list[tuple[dict[str, str], str]] = [
    ({}, "Specify exactly one of EVENTID, TRACKINGID and SINCE"),
    ({"TRACKINGID": "x"}, "There is no TRACKINGID x in this account"),
    ({"SINCE": "noon"}, "SINCE must be an ISO 8601 date or time, such as 2026-11-22T12:57:35Z"),
    (
        {"SINCE": "2026-11-22T12:00:00Z", "UNTIL": "noon"},
        "UNTIL must be an ISO 8601 date or time, such as 2026-11-22T12:57:35Z",
    ),
    ({"SINCE": "2026-11-22T12:00:00Z", "UNTIL": "2026-11-22T12:00:00Z"}, "UNTIL must be later than SINCE"),
]


@pytest.mark.parametrize(("given", "info"), REPLAY_FAILURES)
def test_replay_failure_names_parameters_in_the_dialect(
    records: SimpleNamespace, given: dict[str, str], info: str
) -> None:
    pairs = {"ACTION": "replayPostbacks", "API_KEY": KEY, **given}
    elements = "".join(f"<{name}>{value}</{name}>" for name, value in pairs.items())
    posted = post("/API/wxml/1.3/", f"<REQUEST>{elements}</REQUEST>".encode(), "")[1].decode()
    assert f"<ERRORCODE>E100</ERRORCODE><ERRORINFO>{info}</ERRORINFO>" in posted
    lower = info
    for name in ("EVENTID", "TRACKINGID", "SINCE", "UNTIL"):
        lower = lower.replace(name, name.lower())
    assert f"<ERRORINFO>{lower}</ERRORINFO>" in get(urlencode({n.lower(): v for n, v in pairs.items()})).decode()


def test_skycore_failure_names_data_and_idempotency_key(records: SimpleNamespace) -> None:
    def info(subject: str) -> str:
        changed = SKYCORE.replace("Olá", subject).replace("</REQUEST>", "<IDEMPOTENCYKEY>a</IDEMPOTENCYKEY></REQUEST>")
        return post("/API/wxml/1.3/", changed.encode(), "")[1].decode().partition("<ERRORINFO>")[2].partition("<")[0]

    assert info("{{x}}") == "CUSTOMSUBJECT: DATA has no value for the merge tag x; add a value or a default"
    assert info("Hello") == ""
    assert info("Olá") == "IDEMPOTENCYKEY was used for a different request: a; use a new key"


SKYCORE_FAILURES: list[tuple[str, str, str]] = [
    ("", "E301", "NAME must have 1 to 200 characters"),
    ("<NAME>a</NAME>", "E304", "SUBJECT is missing"),
    ("<NAME>a</NAME><SUBJECT>a</SUBJECT>", "E302", "There are no slides; 1 to 8 are required"),
    ("<NAME>a</NAME><SUBJECT>a</SUBJECT><SLIDE/>", "E303", "slide 1 is empty; it needs a text or a medium"),
    (
        "<NAME>a</NAME><SUBJECT>a</SUBJECT><SLIDE duration='0'><TEXT>a</TEXT></SLIDE>",
        "E230",
        "slide 1: DURATION must be a whole number of seconds from 1 to 60",
    ),
    (
        "<NAME>a</NAME><SUBJECT>a</SUBJECT><SLIDE duration='3'><TEXT>a</TEXT><DURATION>3</DURATION></SLIDE>",
        "E100",
        "slide 1: DURATION is given more than once",
    ),
    (
        "<NAME>a</NAME><SUBJECT>a</SUBJECT><SLIDE><AUDIO/><VIDEO/></SLIDE>",
        "E226",
        "slide 1: AUDIO and VIDEO cannot be in the same slide; use two slides",
    ),
    (
        "<NAME>a</NAME><SUBJECT>a</SUBJECT><SLIDE><PDF/></SLIDE>",
        "E357",
        "slide 1: the PDF requires a URL of 1 to 2000 characters",
    ),
]


@pytest.mark.parametrize(("rest", "code", "info"), SKYCORE_FAILURES)
def test_skycore_content_failures_have_their_own_codes(
    records: SimpleNamespace, rest: str, code: str, info: str
) -> None:
    body = SKYCORE_SAVE.format(key=KEY, rest=rest).encode()
    assert post("/API/wxml/1.3/", body, "")[1].decode() == (
        f"{XML_DECLARATION}<RESPONSE><STATUS>Failure</STATUS><ERRORCODE>{code}</ERRORCODE>"
        f"<ERRORINFO>{info}</ERRORINFO></RESPONSE>"
    )
