"""Encoding of a SubmitReq: the HTTP headers and body that submit a message to an MMSC."""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Final
from xml.sax.saxutils import quoteattr

from mms.mm7.soap import REL_6, write_envelope
from mms.protocol.submit import SMIL, Part
from mms.runtime.xml import escape_text

SHORT_CODE_MAX: Final = 6  # digits

# Numbers are digits only, which need no escaping in headers or XML.
_DIGITS: Final = re.compile(r"[0-9]{3,15}")


@dataclass(frozen=True, slots=True)
class Submission:
    """One message to one number. Numbers are digits without `+`; a sender of up to six digits is a short code.

    `parts` begins with the SMIL, if there is one. `created_at` and `expires_at` are time-zone aware.
    Raises ValueError for an invalid field.
    """

    transaction_id: str
    vaspid: str
    vasid: str
    sender: str
    recipient: str
    subject: str
    parts: tuple[Part, ...]
    created_at: datetime
    expires_at: datetime
    delivery_report: bool = True
    message_class: str = "Personal"
    priority: str = "Normal"
    service_code: str | None = None
    linked_id: str | None = None
    allow_adaptations: bool = False

    def __post_init__(self) -> None:
        _require("sender", self.sender, _DIGITS)
        _require("recipient", self.recipient, _DIGITS)
        if not self.transaction_id:
            raise ValueError("transaction_id: is empty")
        if not self.parts:
            raise ValueError("parts: a message needs at least one")
        for name, moment in (("created_at", self.created_at), ("expires_at", self.expires_at)):
            if moment.utcoffset() is None:
                raise ValueError(f"{name}: has no time zone")


@dataclass(frozen=True, slots=True)
class MM7Options:
    """The MM7 options of one carrier.

    `version` is sent as MM7Version, `namespace` selects the schema, `base64_parts` is for MMSCs that do not accept
    binary parts, `number_prefix` precedes long numbers (Sinch requires none).
    """

    version: str = "6.8.0"
    namespace: str = REL_6
    base64_parts: bool = False
    number_prefix: str = "+"


@dataclass(frozen=True, slots=True)
class EncodedRequest:
    """The headers and body of an HTTP request, without its URL and credentials."""

    headers: dict[str, str]
    body: bytes


def encode(submission: Submission, options: MM7Options) -> EncodedRequest:
    """Encode the SubmitReq as SOAP with attachments (3GPP TS 23.140, 8.7.9): the envelope, then the content.

    The same submission always gives the same bytes, so that a retry is recognisable.
    """
    blobs = [_encode_data(part, options) for part in submission.parts]
    token = _token(submission.transaction_id, (*blobs, submission.subject.encode("utf-8", "replace")))
    headers = {
        "Content-Type": (f'multipart/related; boundary="mm7-{token}"; type="text/xml"; start="<envelope-{token}>"'),
        "SOAPAction": '""',
    }
    envelope = write_envelope(
        submission.transaction_id, options.namespace, _submit_req(submission, options, f"content-{token}")
    )
    pieces = [
        f"--mm7-{token}\r\nContent-Type: text/xml; charset=utf-8\r\nContent-ID: <envelope-{token}>\r\n\r\n".encode(),
        envelope,
        f"\r\n--mm7-{token}\r\n{_content_header(submission.parts[0], token)}\r\n".encode(),
    ]
    for part, blob in zip(submission.parts, blobs, strict=True):
        pieces += (f"\r\n--mms-{token}\r\n{_part_header(part, options)}\r\n".encode(), blob)
    pieces.append(f"\r\n--mms-{token}--\r\n\r\n--mm7-{token}--\r\n".encode())
    return EncodedRequest(headers, b"".join(pieces))


def _submit_req(submission: Submission, options: MM7Options, content_id: str) -> str:
    """Return the elements in the order of submitReqType (3GPP TS 23.140, annex L), which MMSCs validate."""
    fields = (
        _element("MM7Version", options.version),
        _sender_identification(submission, options),
        f"<Recipients><To>{_number(submission.recipient, options)}</To></Recipients>",
        _element("ServiceCode", submission.service_code),
        _element("LinkedID", submission.linked_id),
        _element("MessageClass", submission.message_class),
        _element("TimeStamp", _date_time(submission.created_at)),
        _element("ExpiryDate", _date_time(submission.expires_at)),
        _element("DeliveryReport", _boolean(submission.delivery_report)),
        _element("Priority", submission.priority),
        _element("Subject", _one_line(submission.subject)),
        f'<Content href="cid:{content_id}" allowAdaptations="{_boolean(submission.allow_adaptations)}"/>',
    )
    return f"<SubmitReq xmlns={quoteattr(options.namespace)}>{''.join(fields)}</SubmitReq>"


def _sender_identification(submission: Submission, options: MM7Options) -> str:
    if len(submission.sender) <= SHORT_CODE_MAX:
        address = _element("ShortCode", submission.sender)
    else:
        address = _number(submission.sender, options)
    return (
        f"<SenderIdentification>{_element('VASPID', submission.vaspid)}{_element('VASID', submission.vasid)}"
        f"<SenderAddress>{address}</SenderAddress></SenderIdentification>"
    )


def _number(digits: str, options: MM7Options) -> str:
    return _element("Number", options.number_prefix + digits)


def _element(name: str, content: str | None) -> str:
    """Return the element, or "" if it is empty: every element that may be empty is optional in the schema."""
    return f"<{name}>{escape_text(content)}</{name}>" if content else ""


def _boolean(flag: bool) -> str:
    return "true" if flag else "false"


def _date_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _one_line(subject: str) -> str:
    """Replace line ends: the MMSC copies the subject into a header, where they would start another one."""
    return re.sub(r"[\r\n]+", " ", subject)


def _content_header(first: Part, token: str) -> str:
    if first.mime_type.lower() == SMIL:
        kind = f'multipart/related; start="<{first.content_id}>"; type="{SMIL}"'
    else:
        kind = "multipart/mixed"
    return f'Content-Type: {kind}; boundary="mms-{token}"\r\nContent-ID: <content-{token}>\r\n'


def _part_header(part: Part, options: MM7Options) -> str:
    charset = f"; charset={part.charset}" if part.charset else ""
    return (
        f"Content-Type: {part.mime_type}{charset}\r\n"
        f"Content-ID: <{part.content_id}>\r\n"
        f"Content-Location: {part.location}\r\n"
        f"Content-Transfer-Encoding: {'base64' if options.base64_parts else 'binary'}\r\n"
    )


def _encode_data(part: Part, options: MM7Options) -> bytes:
    if not options.base64_parts:
        return part.data
    return base64.encodebytes(part.data).replace(b"\n", b"\r\n").removesuffix(b"\r\n")


def _token(transaction_id: str, blobs: Sequence[bytes]) -> str:
    """Return the token for boundaries and IDs: constant for a transaction, and absent from the content."""
    for attempt in count():
        seed = f"{transaction_id}/{attempt}".encode("utf-8", "surrogatepass")
        token = hashlib.blake2b(seed, digest_size=12).hexdigest()
        if not any(token.encode() in blob for blob in blobs):
            return token
    raise AssertionError("unreachable")


def _require(name: str, given: str, allowed: re.Pattern[str]) -> None:
    if not allowed.fullmatch(given):
        raise ValueError(f"{name}: {given[:80]!r} is not allowed here")
