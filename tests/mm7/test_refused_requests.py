"""What we refuse of what MMSCs send, and the reason that we give."""

from pathlib import Path

import pytest

from mms.mm7.requests import UnsupportedOperation, read_request
from mms.mm7.soap import REL_5, Malformed

XML = "text/xml; charset=utf-8"
SAMPLES = Path(__file__).parent.parent / "samples" / "mm7"

OPEN = b"<Envelope><Body><DeliveryReportReq>"
SHUT = b"</DeliveryReportReq></Body></Envelope>"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the body is not XML"),
        (b"hello", "the body is not XML"),
        (b"\x00\x00\x00", "the body is not XML"),
        (b"<Envelope/>", "there is no SOAP Body"),
        (b"<Envelope><Body/></Envelope>", "the SOAP Body is empty"),
        (OPEN + b"<MessageID>m</MessageID>" + SHUT, "MMStatus is missing"),
        (OPEN + b"<MMStatus>Expired</MMStatus>" + SHUT, "MessageID and Recipient are both missing"),
        (
            OPEN + b"<MessageID>" + b"9" * 201 + b"</MessageID>" + SHUT,
            "MessageID is longer than 200 characters",
        ),
        (OPEN + b"<MessageID>571200617770", "the envelope is truncated"),
        (b"<!DOCTYPE x><Envelope/>", "a document type is not allowed"),
        (b"<a>" * 33 + b"</a>" * 33, "the envelope is nested deeper than 32 elements"),
        (b"<a>" * 9000 + b"</a>" * 9000, "the envelope is nested deeper than 32 elements"),
        (b"<Envelope>" + b" " * 65536 + b"</Envelope>", "the envelope is larger than 65536 bytes"),
        (b"--b\n\n" + b" " * 8388608, "the body is larger than 8388608 bytes"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(body: bytes, why: str) -> None:
    with pytest.raises(Malformed) as refusal:
        read_request(XML, body)
    assert str(refusal.value) == why


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_half_a_number_is_never_taken_for_a_number(cut: int) -> None:
    whole = (SAMPLES / "report-plain.xml").read_bytes()
    with pytest.raises(Malformed):
        read_request(XML, whole[: whole.index(b"</Number>") - 4 + cut])


def test_entities_are_not_expanded() -> None:
    secret = b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]>' + OPEN + b"&f;" + SHUT
    with pytest.raises(Malformed, match="document type"):
        read_request(XML, secret)


def test_another_operation_is_named_for_a_polite_refusal() -> None:
    body = (
        f'<Envelope><Header><TransactionID>t-9</TransactionID></Header><Body><x:CancelReq xmlns:x="{REL_5}"/>'
        "</Body></Envelope>"
    )
    with pytest.raises(UnsupportedOperation) as refusal:
        read_request(XML, body.encode())
    assert str(refusal.value) == "the operation CancelReq is not supported"
    assert (refusal.value.transaction_id, refusal.value.namespace) == ("t-9", REL_5)
