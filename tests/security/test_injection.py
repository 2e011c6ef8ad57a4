"""Text of customers and operators cannot inject headers, elements or MIME parts."""

import json
from email import message_from_bytes
from email.policy import HTTP
from types import SimpleNamespace
from xml.sax.saxutils import escape

import pytest
from lxml import etree

from mms.models import Message
from tests.api.dialect_requests import post_json
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers

HOSTILE = "a\r\nX-Evil: 1\r\n\r\n<x/>]]>&amp;\"'--b--\u2028{{name}}"
NAMES = {"x-evil", "content-disposition", "bcc"}


def send(**more: object) -> Message:
    answer = post_json(
        {"action": "sendSavedMMS", "to": "14044790000", "from": "28444", "service-id": "12345", "mms-id": 35674, **more}
    )
    assert answer["status"] == "Success", answer
    return Message.objects.get()


def test_hostile_text_stays_within_its_fields(
    records: SimpleNamespace, mmsc: ScriptedServer, customer: ScriptedServer
) -> None:
    text = {"custom-slide": 1, "custom-message-text": HOSTILE}
    message = send(**{"client-reference": HOSTILE[:200], "custom-slides": [text], "data": {"name": HOSTILE}})
    RunWorkers()()
    (submit,) = mmsc.received
    assert not NAMES & submit.headers.keys()
    whole = message_from_bytes(
        b"Content-Type: " + submit.headers["content-type"].encode() + b"\r\n\r\n" + submit.body, policy=HTTP
    )
    envelope, content = whole.iter_parts()
    assert [part.get_content_type() for part in content.iter_parts()] == [
        "application/smil", "image/jpeg", "text/plain", "text/plain"
    ]  # fmt: skip
    assert not any(NAMES & {name.lower() for name in part} for part in whole.walk())
    etree.fromstring(
        envelope.get_content().encode() if isinstance(envelope.get_content(), str) else envelope.get_content()
    )
    smil = next(content.iter_parts()).get_content()
    assert not etree.fromstring(smil if isinstance(smil, bytes) else smil.encode()).findall(".//x")
    postback = customer.received[-1]
    assert not NAMES & postback.headers.keys()
    assert etree.fromstring(postback.body).findtext(".//client-reference") == message.client_reference


@pytest.mark.parametrize("name", ["custom_subject", "ddm-message-subject"])
@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b"])
def test_line_end_in_subject_is_refused(records: SimpleNamespace, name: str, line_end: str) -> None:
    answer = post_json(
        {"action": "sendSavedMMS", "to": "14044790000", "from": "28444", "service-id": "12345", "mms-id": 35674,
         name.replace("custom_subject", "message-subject"): f"a{line_end}Bcc: b"}
    )  # fmt: skip
    assert (answer["status"], answer["error-code"] in {"E314", "E100"}) == ("Failure", True)


@pytest.mark.parametrize("value", [True, 1, "x"])
def test_null_character_in_name_is_refused(records: SimpleNamespace, value: object) -> None:
    answer = post_json(
        {"action": "sendSavedMMS", "to": "14044790000", "from": "28444", "service-id": "12345", "mms-id": 35674,
         "data": {"a\x00b": value}}
    )  # fmt: skip
    assert (answer["error-code"], answer["error-info"]) == (
        "E100", "ab contains the character U+0000, which is not allowed"
    )  # fmt: skip


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59+00:00", "9999-12-31"])
def test_expiry_at_datetime_max_is_refused(records: SimpleNamespace, moment: str) -> None:
    answer = post_json(
        {"action": "sendSavedMMS", "to": "14044790000", "from": "28444", "service-id": "12345", "mms-id": 35674,
         "mms-expiry-timestamp": moment}
    )  # fmt: skip
    assert (answer["error-code"], answer["error-info"]) == (
        "E100",
        "mms-expiry-timestamp must be within 3 days from now",
    )


def test_responses_quote_input_as_text(records: SimpleNamespace) -> None:
    answer = post_json({"action": "getMessage", "tracking-id": HOSTILE})
    assert HOSTILE[:40].strip() in answer["error-info"]
    json.dumps(answer)
    assert escape("<x/>") not in answer["error-info"]
