"""Tests of the encoded SubmitReq, byte for byte."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from mms.mm7.soap import REL_5
from mms.mm7.submit import EncodedRequest, MM7Options, Submission, encode
from mms.protocol.submit import Part

SAMPLES = Path(__file__).parent.parent / "samples" / "mm7"

SMIL = Part("slides.smil", "slides.smil", "application/smil", b'<smil><img src="cid:photo"/></smil>', charset="utf-8")
TEXT = Part("text-1", "text-1.txt", "text/plain", "Grüße".encode(), charset="utf-8")
PHOTO = Part("photo", "photo.jpg", "image/jpeg", b"\xff\xd8\x00\r\n--\xff\xd9")

SUBMISSION = Submission(
    transaction_id="t-35674-1",
    vaspid="acme",
    vasid="news",
    sender="28444",
    recipient="14044790000",
    subject='Bill & "Co" <3',
    parts=(SMIL, TEXT, PHOTO),
    created_at=datetime(2024, 3, 16, 14, 0, tzinfo=UTC),
    expires_at=datetime(2024, 3, 19, 16, 0, tzinfo=timezone(timedelta(hours=2))),
    service_code="gold",
    linked_id="mms-1",
)


# The token in the boundaries and IDs of that submission.
TOKEN = "6dbcb0602a71faec2def5159"


def parse(encoded: EncodedRequest) -> Message:
    """Parse the request with the standard library, independently of our parser."""
    head = f"MIME-Version: 1.0\r\nContent-Type: {encoded.headers['Content-Type']}\r\n\r\n"
    return message_from_bytes(head.encode() + encoded.body)


def parts_of(message: Message) -> list[Message]:
    payload = message.get_payload()
    assert isinstance(payload, list)
    return [part for part in payload if isinstance(part, Message)]


def envelope_of(submission: Submission, options: MM7Options) -> str:
    envelope = parts_of(parse(encode(submission, options)))[0].get_payload(decode=True)
    assert isinstance(envelope, bytes)
    return envelope.decode()


def test_message_with_slides_is_encoded_byte_for_byte() -> None:
    encoded = encode(SUBMISSION, MM7Options())
    assert encoded.headers == {
        "Content-Type": (f'multipart/related; boundary="mm7-{TOKEN}"; type="text/xml"; start="<envelope-{TOKEN}>"'),
        "SOAPAction": '""',
    }
    assert encoded.body == (SAMPLES / "submit-slides.bin").read_bytes()


def test_content_is_unchanged_and_smil_is_the_root() -> None:
    envelope, content = parts_of(parse(encode(SUBMISSION, MM7Options())))
    assert envelope.get_content_type() == "text/xml"
    assert content.get_content_type() == "multipart/related"
    assert (content.get_param("start"), content.get_param("type")) == ("<slides.smil>", "application/smil")
    parts = parts_of(content)
    assert [part["Content-ID"] for part in parts] == ["<slides.smil>", "<text-1>", "<photo>"]
    assert [part["Content-Location"] for part in parts] == ["slides.smil", "text-1.txt", "photo.jpg"]
    assert [part.get_payload(decode=True) for part in parts] == [SMIL.data, TEXT.data, PHOTO.data]


def test_content_without_smil_is_multipart_mixed() -> None:
    encoded = encode(replace(SUBMISSION, parts=(TEXT,)), MM7Options())
    assert parts_of(parse(encoded))[1].get_content_type() == "multipart/mixed"


def test_base64_option_encodes_the_parts() -> None:
    big = replace(PHOTO, data=bytes(range(256)) * 4)
    encoded = encode(replace(SUBMISSION, parts=(SMIL, big)), MM7Options(base64_parts=True))
    assert max(encoded.body) < 128
    photo = parts_of(parts_of(parse(encoded))[1])[1]
    assert photo["Content-Transfer-Encoding"] == "base64"
    assert max(map(len, str(photo.get_payload()).splitlines())) == 76
    assert photo.get_payload(decode=True) == big.data


def test_version_and_namespace_come_from_the_options() -> None:
    envelope = envelope_of(SUBMISSION, MM7Options(version="5.3.0", namespace=REL_5))
    assert f'<mm7:TransactionID xmlns:mm7="{REL_5}" env:mustUnderstand="1">' in envelope
    assert f'<SubmitReq xmlns="{REL_5}"><MM7Version>5.3.0</MM7Version>' in envelope


@pytest.mark.parametrize(
    ("sender", "prefix", "address"),
    [
        ("28444", "+", "<ShortCode>28444</ShortCode>"),
        ("284444", "+", "<ShortCode>284444</ShortCode>"),
        ("14045550100", "+", "<Number>+14045550100</Number>"),
        ("14045550100", "", "<Number>14045550100</Number>"),
    ],
)
def test_sender_of_up_to_six_digits_is_a_short_code(sender: str, prefix: str, address: str) -> None:
    envelope = envelope_of(replace(SUBMISSION, sender=sender), MM7Options(number_prefix=prefix))
    assert f"<SenderAddress>{address}</SenderAddress>" in envelope
    assert f"<To><Number>{prefix}14044790000</Number></To>" in envelope


def test_empty_fields_are_omitted() -> None:
    bare = replace(SUBMISSION, vasid="", subject="", service_code=None, linked_id=None)
    envelope = envelope_of(bare, MM7Options())
    assert not [name for name in ("VASID", "Subject", "ServiceCode", "LinkedID") if f"<{name}" in envelope]


@pytest.mark.parametrize(
    ("subject", "element"),
    [
        ("</Subject><x>", "<Subject>&lt;/Subject&gt;&lt;x&gt;</Subject>"),
        ("one\r\nBcc: everybody", "<Subject>one Bcc: everybody</Subject>"),
        ("bell\x07 and half a pair \ud83d", "<Subject>bell and half a pair </Subject>"),
        ("smile \U0001f600", "<Subject>smile \U0001f600</Subject>"),
    ],
)
def test_subject_is_escaped_on_one_line(subject: str, element: str) -> None:
    assert element in envelope_of(replace(SUBMISSION, subject=subject), MM7Options())


def test_retry_has_same_bytes_and_other_transactions_differ() -> None:
    first = encode(SUBMISSION, MM7Options())
    assert encode(replace(SUBMISSION), MM7Options()) == first
    assert encode(replace(SUBMISSION, transaction_id="t-35674-2"), MM7Options()).headers != first.headers


def test_boundary_in_content_is_avoided() -> None:
    attack = f"\r\n--mms-{TOKEN}--\r\n--mm7-{TOKEN}--\r\n".encode()
    encoded = encode(replace(SUBMISSION, parts=(replace(TEXT, data=attack),)), MM7Options())
    assert TOKEN not in encoded.headers["Content-Type"]
    assert parts_of(parts_of(parse(encoded))[1])[0].get_payload(decode=True) == attack
    assert TOKEN not in encode(replace(SUBMISSION, subject=TOKEN), MM7Options()).headers["Content-Type"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("content_id", "a>\r\nX-Evil: 1"),
        ("content_id", "<a>"),
        ("content_id", ""),
        ("content_id", "zwei wörter"),
        ("location", "a\r\nX-Evil: 1"),
        ("location", "a b.jpg"),
        ("location", ""),
        ("mime_type", "image"),
        ("mime_type", "image/jpeg; x=y"),
        ("mime_type", "image/jpeg\n"),
        ("charset", "utf-8\r\nX-Evil: 1"),
        ("charset", ""),
    ],
)
def test_part_that_would_break_its_header_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        replace(PHOTO, **{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sender", "ACME"),
        ("sender", ""),
        ("recipient", "+14044790000"),
        ("recipient", "1404479000000000"),
        ("recipient", "١٤٠٤٤٧٩٠٠٠٠"),
        ("transaction_id", ""),
        ("parts", ()),
        ("created_at", datetime(2024, 3, 16)),  # noqa: DTZ001  the point of the case
        ("expires_at", datetime(2024, 3, 16)),  # noqa: DTZ001
    ],
)
def test_invalid_submission_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        replace(SUBMISSION, **{field: value})  # type: ignore[arg-type]
