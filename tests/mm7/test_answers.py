"""Tests of MMSC answers to a submit, from captured and malformed samples."""

from pathlib import Path

import pytest

from mms.mm7.answers import read_answer
from mms.mm7.codes import SINCH_OVERRIDES
from mms.protocol.submit import Outcome, SubmitResult

SAMPLES = Path(__file__).parent.parent / "samples" / "mm7"
XML = "text/xml; charset=utf-8"


def soap(body: str) -> bytes:
    return f"<Envelope><Body>{body}</Body></Envelope>".encode()


@pytest.mark.parametrize(
    ("sample", "content_type", "expected"),
    [
        (
            "answer-success.xml",
            "application/xml; charset=utf-8",
            SubmitResult(Outcome.SUBMITTED, 1000, "Successfully parsed and validated request", "571200617770812345"),
        ),
        (
            "answer-multipart.txt",
            'multipart/related; boundary="----=_Part_9"; start="<rsp>"',
            SubmitResult(Outcome.SUBMITTED, 1100, "Partial success", "m-1"),
        ),
        (
            "fault-qualified.xml",
            XML,
            SubmitResult(Outcome.CONTENT_REFUSED, 2004, "Multimedia content refused: Message exceeds 300 KB", None),
        ),
        ("fault-unqualified.xml", XML, SubmitResult(Outcome.TRANSIENT, 4006, "Service unavailable", None)),
        (
            "fault-faultstring-only.xml",
            "text/xml",
            SubmitResult(
                Outcome.PERMANENT,
                2002,
                "2024-08-05 10:00:00 relay 10.0.0.7:3000 refused with StatusCode:2002 Adresse ungültig",
                None,
            ),
        ),
        ("answer-error-response-bare.xml", XML, SubmitResult(Outcome.PERMANENT, 6102, "번호이동 가입자", None)),
        (
            "answer-failure-with-message-id.xml",
            XML,
            SubmitResult(Outcome.PERMANENT, 3002, "Message rejected: blocked sender", "m-9"),
        ),
    ],
)
@pytest.mark.parametrize("http_status", [200, 202, 400, 500])
def test_answer_is_read_under_any_http_status(
    http_status: int, sample: str, content_type: str, expected: SubmitResult
) -> None:
    assert read_answer(http_status, content_type, (SAMPLES / sample).read_bytes()) == expected


@pytest.mark.parametrize(
    ("http_status", "expected"),
    [
        (200, Outcome.IN_DOUBT),
        (202, Outcome.IN_DOUBT),
        (302, Outcome.TRANSIENT),
        (400, Outcome.PERMANENT),
        (401, Outcome.TRANSIENT),
        (403, Outcome.TRANSIENT),
        (404, Outcome.TRANSIENT),
        (408, Outcome.TRANSIENT),
        (413, Outcome.PERMANENT),
        (429, Outcome.TRANSIENT),
        (500, Outcome.TRANSIENT),
        (502, Outcome.IN_DOUBT),
        (503, Outcome.TRANSIENT),
        (504, Outcome.IN_DOUBT),
        (522, Outcome.IN_DOUBT),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"<html><body><h1>Sorry</h1></body></html>",
        b"<Envelope><Body/></Envelope>",
        b"<Envelope><Body><SubmitRsp/></Body></Envelope>",
        b"<Envelope><Body><SubmitRsp><Status><StatusCode>1000</StatusCode><MessageID>12",
        (
            b'<!DOCTYPE Envelope [<!ENTITY x "1000">]>'
            b"<Envelope><Body><SubmitRsp><StatusCode>&x;</StatusCode></SubmitRsp></Body></Envelope>"
        ),
    ],
)
def test_http_status_decides_without_readable_soap(http_status: int, expected: Outcome, body: bytes) -> None:
    answer = read_answer(http_status, XML, body)
    assert (answer.outcome, answer.code, answer.message_id) == (expected, None, None)
    assert answer.text.startswith(f"HTTP {http_status}: ")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "<SubmitRsp><Status><StatusCode>1000</StatusCode></Status></SubmitRsp>",
            SubmitResult(Outcome.SUBMITTED, 1000, "", None),
        ),
        ("<SubmitRsp><MessageId>m-2</MessageId></SubmitRsp>", SubmitResult(Outcome.SUBMITTED, None, "", "m-2")),
        (
            "<SubmitRsp><Status><StatusCode>OK</StatusCode></Status><MessageID/></SubmitRsp>",
            SubmitResult(Outcome.IN_DOUBT, None, "HTTP 200: no StatusCode in the answer", None),
        ),
        (
            "<Fault><faultcode>Client</faultcode><faultstring>no</faultstring></Fault>",
            SubmitResult(Outcome.PERMANENT, None, "no", None),
        ),
        (
            "<Fault><faultcode>env:Server.Busy</faultcode><faultstring>later</faultstring></Fault>",
            SubmitResult(Outcome.TRANSIENT, None, "later", None),
        ),
        (
            "<Fault><faultcode>env:Client.4007</faultcode></Fault>",
            SubmitResult(Outcome.PERMANENT, 4007, "", None),
        ),
        (
            "<Fault><faultstring>odd</faultstring><detail><StatusCode>1000</StatusCode></detail></Fault>",
            SubmitResult(Outcome.IN_DOUBT, 1000, "odd", None),
        ),
    ],
)
def test_incomplete_answer_is_read_as_far_as_possible(body: str, expected: SubmitResult) -> None:
    assert read_answer(200, XML, soap(body)) == expected


def test_carrier_overrides_take_precedence() -> None:
    body = soap("<SubmitRsp><Status><StatusCode>3003</StatusCode></Status></SubmitRsp>")
    assert read_answer(200, XML, body).outcome is Outcome.PERMANENT
    assert read_answer(200, XML, body, SINCH_OVERRIDES).outcome is Outcome.TRANSIENT


def test_long_explanation_is_truncated() -> None:
    status = f"<StatusCode>2000</StatusCode><StatusText>{'x' * 9000}</StatusText>"
    body = soap(f"<SubmitRsp><Status>{status}</Status></SubmitRsp>")
    assert read_answer(200, XML, body).text == "x" * 500


@pytest.mark.parametrize("half", ["&#xD800;", "&#xdfff;", "&#55296;", "&#0;"])
def test_invalid_character_reference_is_dropped(half: str) -> None:
    status = f"<StatusCode>1000</StatusCode><StatusText>ta{half}ken</StatusText>"
    body = soap(f"<SubmitRsp><Status>{status}</Status><MessageID>m-3</MessageID></SubmitRsp>")
    assert read_answer(200, XML, body) == SubmitResult(Outcome.SUBMITTED, 1000, "taken", "m-3")


@pytest.mark.parametrize("answer", ["<SubmitRsp>{}</SubmitRsp>", "<Fault>{}</Fault>"])
def test_message_id_is_truncated_to_its_column(answer: str) -> None:
    name = "n" * 201
    found = read_answer(200, XML, soap(answer.format(f"<MessageID>{name}</MessageID>")))
    assert found.message_id == name[:200]
