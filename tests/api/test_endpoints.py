"""The endpoints: one request in every dialect and wrapping, answered in its own dialect."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from urllib.parse import quote, urlencode

import pytest
from django.test import Client
from django.utils import timezone

from mms.messages.accept import EXPIRY
from mms.models import Message, Template
from tests.api.dialect_requests import JSON, PAIRS, SINCH, SKYCORE, SKYCORE_SAVE, XML_DECLARATION, get, post, post_json
from tests.api.documents import KEY, NUMBER, SEND, failure, request

SINCH_PATHS = ["/ep/v1/", "/ep/v1"]
SKYCORE_PATHS = ["/API/wxml/1.3/", "/API/wxml/1.3", "/API/wxml/1.3/index.php"]


def multipart(xml: bytes) -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="xml"\r\n\r\n' + xml + b"\r\n--x--\r\n"


def sinch_answer(message: Message) -> bytes:
    return (
        f"{XML_DECLARATION}<response><status>Success</status><mms-id>35674</mms-id><tracking-id>{message.tracking_id}"
        f"</tracking-id><to>{NUMBER}</to><from>28444</from>"
        "<status-details>MMS request accepted and queued for delivery</status-details></response>"
    ).encode()


def skycore_answer(message: Message) -> bytes:
    return (
        f"{XML_DECLARATION}<RESPONSE><STATUS>Success</STATUS><MMSID>35674</MMSID><TRACKINGID>{message.tracking_id}"
        f"</TRACKINGID><TO>{NUMBER}</TO><FROM>28444</FROM>"
        "<STATUSDETAILS>MMS request accepted and queued for delivery</STATUSDETAILS></RESPONSE>"
    ).encode()


def assert_stored(message: Message) -> None:
    assert (message.number, message.sender, message.template_id) == (NUMBER, "28444", 35674)
    assert message.service
    assert (message.service.code, message.operator_id, message.subject) == ("12345", "31002", "Olá")
    assert (message.texts, message.data) == ({"1": "one", "2": "two"}, {"Name": "Bill"})
    fallback = (message.fallback_text, message.disable_fallback_sms, message.disable_fallback_sms_link)
    assert fallback == ("Hello {{name}}", True, False)
    ddm = (message.ddm_force, message.ddm_subject, message.ddm_text, message.ddm_timeout)
    assert ddm == (True, "Hi", "Free", 7)
    assert (message.from_mask, message.client_reference) == ("Shop_1", "r1")


@pytest.mark.parametrize("path", SINCH_PATHS + SKYCORE_PATHS)
@pytest.mark.parametrize(("xml", "answer"), [(SINCH, sinch_answer), (SKYCORE, skycore_answer)])
@pytest.mark.parametrize(
    ("wrapped", "content_type"),
    [
        (str.encode, "text/xml"),
        (str.encode, ""),
        (str.encode, "application/x-www-form-urlencoded"),
        (lambda xml: b"xml=" + quote(xml).encode(), "application/x-www-form-urlencoded"),
        (lambda xml: urlencode({"id": "7", "XML": xml}).encode(), ""),
        (lambda xml: multipart(xml.encode()), "multipart/form-data; boundary=x"),
    ],
    ids=["raw", "no type", "raw as form", "form field", "form field, no type", "multipart"],
)
def test_xml_is_accepted_in_any_wrapping_at_both_endpoints(
    records: SimpleNamespace,
    path: str,
    xml: str,
    answer: Callable[[Message], bytes],
    wrapped: Callable[[str], bytes],
    content_type: str,
) -> None:
    answered = post(path, wrapped(xml), content_type)
    message = Message.objects.get()
    media_type = "text/plain" if path in SKYCORE_PATHS else "text/xml"
    assert answered == (f"{media_type}; charset=utf-8", answer(message))
    assert_stored(message)


BAD_KEY = SKYCORE.replace(KEY, "<![CDATA[<script>]]>")


@pytest.mark.parametrize("path", SKYCORE_PATHS)
@pytest.mark.parametrize("wants_xml", [False, True])
@pytest.mark.parametrize(
    ("method", "query", "body", "known"),
    [
        ("POST", "", SKYCORE, True),
        ("POST", "", SINCH, True),
        ("POST", "", SKYCORE.replace("<TO>", "<TO>x"), True),  # refused after the key was found
        ("POST", "", SKYCORE_SAVE.format(key=KEY, rest=""), True),  # performed alone
        ("GET", urlencode(PAIRS), "", True),
        ("POST", "", BAD_KEY, False),
        ("POST", "", "<html><script>", False),
        ("PUT", "", "", False),
    ],
)
def test_skycore_answer_is_plain_unless_its_account_wants_xml(
    records: SimpleNamespace, path: str, wants_xml: bool, method: str, query: str, body: str, known: bool
) -> None:
    type(records.account).objects.update(skycore_text_xml=wants_xml)
    address = f"{path}?{query}" if query else path
    reply = Client().generic(method, address, body.encode(), content_type="text/xml")
    media_type = "text/xml" if wants_xml and known else "text/plain"
    assert reply["Content-Type"] == f"{media_type}; charset=utf-8"
    assert reply["X-Content-Type-Options"] == "nosniff"
    assert b"<script>" not in reply.content


def test_changed_answer_type_applies_despite_the_stale_cache(records: SimpleNamespace) -> None:
    types = []
    for wants_xml in (False, True, False):
        type(records.account).objects.update(skycore_text_xml=wants_xml)
        types.append(post(SKYCORE_PATHS[0], SKYCORE.encode(), "text/xml")[0].partition(";")[0])
    assert types == ["text/plain", "text/xml", "text/plain"]


@pytest.mark.parametrize("upper", [False, True])
def test_query_string_is_answered_in_skycore_xml(records: SimpleNamespace, upper: bool) -> None:
    pairs = {name.upper() if upper and "data" not in name else name: value for name, value in PAIRS.items()}
    answered = get(urlencode(pairs))
    message = Message.objects.get()
    assert answered == skycore_answer(message)
    assert_stored(message)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_json_is_answered_in_json(records: SimpleNamespace, encoding: str) -> None:
    answered = post_json(json.dumps(JSON, ensure_ascii=False).encode(encoding))
    message = Message.objects.get()
    assert answered == {
        "status": "Success",
        "mms-id": "35674",
        "tracking-id": message.tracking_id,
        "to": NUMBER,
        "from": "28444",
        "status-details": "MMS request accepted and queued for delivery",
    }
    assert_stored(message)


def test_merge_tag_name_may_contain_a_space(records: SimpleNamespace) -> None:
    text = "Dear {{ First Name }}"
    named = {"message-subject": text, "data": {"Name": "Bo", "first name": "Bill"}}
    assert post_json({**JSON, **named})["status"] == "Success"
    assert b"Success" in get(urlencode({**PAIRS, "customsubject": text, "data_first name": "Bill"}))
    assert [message.subject for message in Message.objects.all()] == ["Dear Bill"] * 2


@pytest.mark.parametrize("wrap", [lambda xml: b"xml=" + quote(xml).encode(), multipart])
def test_declared_encoding_applies_in_a_form_field(records: SimpleNamespace, wrap: Callable[[bytes], bytes]) -> None:
    xml = ('<?xml version="1.0" encoding="ISO-8859-1"?>' + SINCH).encode("latin-1")
    assert b"Success" in post("/ep/v1/", wrap(xml), "multipart/form-data; boundary=x" if wrap is multipart else "")[1]
    assert Message.objects.get().subject == "Olá"


def test_skycore_service_is_optional_unless_required(records: SimpleNamespace) -> None:
    xml = SKYCORE.replace("<CAMPAIGNREF>12345</CAMPAIGNREF>", "")
    assert b"Success" in post("/API/wxml/1.3/", xml.encode(), "")[1]
    assert Message.objects.get().service is None
    type(records.account).objects.update(service_required=True)
    assert b"<ERRORINFO>CAMPAIGNREF is missing</ERRORINFO>" in post("/API/wxml/1.3/", xml.encode(), "")[1]


def test_fallback_text_is_not_required_if_fallback_is_disabled(records: SimpleNamespace) -> None:
    type(records.account).objects.update(fallback_text_required=True)
    body = request({**SEND, "disable-fallback-sms": "true"})
    assert b"Success" in post("/ep/v1/", body, "")[1]
    assert b"E622" in post("/ep/v1/", request(SEND), "")[1]


def test_skycore_slide_lasts_five_seconds_by_default(
    records: SimpleNamespace,
) -> None:
    slides = "<SLIDE><TEXT>a</TEXT></SLIDE><SLIDE duration='7'><TEXT>b</TEXT></SLIDE>"
    slides += "<SLIDE DURATION='8'><TEXT>c</TEXT></SLIDE><SLIDE><TEXT>d</TEXT><DURATION>9</DURATION></SLIDE>"
    body = SKYCORE_SAVE.format(key=KEY, rest=f"<NAME>a</NAME><SUBJECT>b</SUBJECT>{slides}")
    assert b"<STATUSDETAILS>MMS content stored</STATUSDETAILS>" in post("/API/wxml/1.3/", body.encode(), "")[1]
    stored = Template.objects.latest("pk")
    assert list(stored.slides.values_list("text", "duration")) == [("a", 5), ("b", 7), ("c", 8), ("d", 9)]


def test_json_stores_content(records: SimpleNamespace) -> None:
    slides = [{"message-text": "a", "duration": 7}, {"message-text": "b"}]
    answer = post_json({"action": "saveMMS", "name": "n", "message-subject": "s", "slide": slides})
    stored = Template.objects.latest("pk")
    assert answer == {"status": "Success", "mms-id": str(stored.pk), "status-details": "MMS content stored"}
    assert list(stored.slides.values_list("text", "duration")) == [("a", 7), ("b", 10)]


def test_expiry_is_accepted_up_to_the_maximum_lifetime(records: SimpleNamespace) -> None:
    def post_expiry(**late: float) -> bytes:
        timestamp = (timezone.now() + timedelta(**late)).isoformat()
        return post("/ep/v1/", request({**SEND, **ddm, "mms-expiry-timestamp": timestamp}), "")[1]

    ddm: dict[str, str] = {}
    assert b"Success" in post_expiry(days=3, minutes=1)  # the customer's clock may be ahead
    assert post_expiry(days=3, minutes=6) == failure(
        "E100", "mms-expiry-timestamp must be within 3 days from now", NUMBER
    )
    ddm = {"ddm-message-text": "Free", "ddm-message-timeout": "60"}
    assert b"Success" in post_expiry(days=3, minutes=58)
    assert b"Success" in post("/ep/v1/", request(SEND), "")[1]
    lifetimes = [message.expires_at - message.created_at for message in Message.objects.order_by("pk")]
    assert [lifetimes[0], lifetimes[2]] == [EXPIRY, EXPIRY]
    assert timedelta(minutes=57) < lifetimes[1] - EXPIRY <= timedelta(minutes=58)


@pytest.mark.parametrize("offset", ["+23:59", "+05:30:15.5"])
def test_timestamp_with_any_offset_is_converted_to_utc(records: SimpleNamespace, offset: str) -> None:
    day = timezone.now().date() + timedelta(days=2)
    timestamp = f"{day}T12:00:00{offset}"
    fields = {"mms-expiry-timestamp": timestamp, "fallback-sms-link-expiration": timestamp}
    assert post_json({**JSON, **fields})["status"] == "Success"
    message = Message.objects.latest("pk")
    assert message.expires_at == message.fallback_sms_link_expiration == datetime.fromisoformat(timestamp)
    listed = post_json({"action": "getMMSTemplates", "start-date": timestamp})
    assert (listed["status"], listed["total-results"]) == ("Success", 0)


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-11-22T12:57:35+02:00", "2026-11-22T10:57:35+00:00"),  # a space, once decoded
        ("2026-11-22T12:57:35%2B02:00", "2026-11-22T10:57:35+00:00"),
        ("2026-11-22+12:57+0000", "2026-11-22T12:57:00+00:00"),
        ("2026-11-22+12:57", "2026-11-22T12:57:00+00:00"),
        ("2026-11-22+12:57:35", "2026-11-22T12:57:35+00:00"),
    ],
)
def test_timestamp_in_a_query_may_have_an_unescaped_plus(records: SimpleNamespace, written: str, utc: str) -> None:
    answer = get(f"action=getMmsIds&api_key={KEY}&startdate={written}")
    assert f"<STARTDATE>{utc}</STARTDATE>".encode() in answer


@pytest.mark.parametrize(
    ("path", "method", "allow"),
    [
        ("/API/wxml/1.3/", "PUT", "GET, POST"),
        ("/ep/v2/", "GET", "POST"),
    ],
)
def test_other_methods_are_refused(db: None, path: str, method: str, allow: str) -> None:
    reply = Client().generic(method, path)
    assert (reply.status_code, reply["Allow"]) == (405, allow)


def test_unknown_path_gets_404(db: None) -> None:
    assert [Client().get(path).status_code for path in ("/ep/v3/", "/API/wxml/1.3/other.php")] == [404, 404]


def test_empty_body_gets_a_sinch_failure(records: SimpleNamespace) -> None:
    assert post("/ep/v1/", b"", "")[1] == failure("E100", "The request body is empty")
