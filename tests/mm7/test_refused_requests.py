"""Tests of MMSC requests that are refused, with their reasons."""

from pathlib import Path

import pytest

from mms.mm7.requests import UnsupportedOperation, read_request
from mms.mm7.soap import REL_5, Malformed

XML = "text/xml; charset=utf-8"
SAMPLES = Path(__file__).parent.parent / "samples" / "mm7"

START = b"<Envelope><Body><DeliveryReportReq>"
END = b"</DeliveryReportReq></Body></Envelope>"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the body is not XML"),
        (b"hello", "the body is not XML"),
        (b"\x00\x00\x00", "the body is not XML"),
        (b"<Envelope/>", "there is no SOAP Body"),
        (b"<Envelope><Body/></Envelope>", "the SOAP Body is empty"),
        (START + b"<MessageID>m</MessageID>" + END, "MMStatus is missing"),
        (START + b"<MMStatus>Expired</MMStatus>" + END, "MessageID and Recipient are both missing"),
        (
            START + b"<MessageID>" + b"9" * 201 + b"</MessageID>" + END,
            "MessageID is longer than 200 characters",
        ),
        (START + b"<MessageID>571200617770", "the envelope is truncated"),
        (b"<!DOCTYPE x><Envelope/>", "a document type is not allowed"),
        (b"<a>" * 33 + b"</a>" * 33, "the envelope is nested deeper than 32 elements"),
        (b"<a>" * 9000 + b"</a>" * 9000, "the envelope is nested deeper than 32 elements"),
        (b"<Envelope>" + b" " * 65536 + b"</Envelope>", "the envelope is larger than 65536 bytes"),
        (b"--b\n\n" + b" " * 8388608, "the body is larger than 8388608 bytes"),
    ],
)
def test_unreadable_body_is_malformed_with_the_reason(body: bytes, why: str) -> None:
    with pytest.raises(Malformed) as refusal:
        read_request(XML, body)
    assert str(refusal.value) == why


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_truncated_number_is_malformed(cut: int) -> None:
    whole = (SAMPLES / "report-plain.xml").read_bytes()
    with pytest.raises(Malformed):
        read_request(XML, whole[: whole.index(b"</Number>") - 4 + cut])


def test_entities_are_not_expanded() -> None:
    secret = b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]>' + START + b"&f;" + END
    with pytest.raises(Malformed, match="document type"):
        read_request(XML, secret)


def test_unsupported_operation_keeps_transaction_and_namespace() -> None:
    body = (
        f'<Envelope><Header><TransactionID>t-9</TransactionID></Header><Body><x:CancelReq xmlns:x="{REL_5}"/>'
        "</Body></Envelope>"
    )
    with pytest.raises(UnsupportedOperation) as refusal:
        read_request(XML, body.encode())
    assert str(refusal.value) == "the operation CancelReq is not supported"
    assert (refusal.value.transaction_id, refusal.value.namespace) == ("t-9", REL_5)
