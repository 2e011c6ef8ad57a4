"""Strict parser of SubmitReq: any violation of MM7 is refused with the matching status code."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from lxml import etree

from simulator import presentation, soap
from simulator.mime import Malformed, Part, entity, split
from simulator.presentation import Presentation

# The children of SubmitReq in the order of the schema (3GPP TS 23.140 Release 6, REL-6-MM7-1-4).
# fmt: off
CHILDREN = [
    "MM7Version", "SenderIdentification", "Recipients", "ServiceCode", "LinkedID", "MessageClass",
    "TimeStamp", "ReplyCharging", "EarliestDeliveryTime", "ExpiryDate", "DeliveryReport", "ReadReply",
    "Priority", "Subject", "ChargedParty", "ChargedPartyID", "DistributionIndicator", "DeliveryCondition",
    "ApplicID", "ReplyApplicID", "AuxApplicInfo", "ContentClass", "DRMContent", "Content",
]
# fmt: on
BOOLEAN = r"true|false|1|0"
DATE_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"
VALUE_PATTERNS = {
    "MM7Version": r"[56]\.\d+\.\d+",
    "MessageClass": r"Personal|Advertisement|Informational|Auto",
    "TimeStamp": DATE_TIME,
    "EarliestDeliveryTime": rf"{DATE_TIME}|P\w+",
    "ExpiryDate": rf"{DATE_TIME}|P\w+",
    "DeliveryReport": BOOLEAN,
    "ReadReply": BOOLEAN,
    "Priority": r"Normal|High|Low",
    "DistributionIndicator": BOOLEAN,
}
MAX_SUBJECT_LENGTH = 80


class SubmitRefused(Exception):
    """The request violates MM7. `code` is a status code of 3GPP TS 23.140, 8.7.8."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Submit:
    """A submitted message. Addresses are digits; `parts` are the parts of the content, starting with the SMIL."""

    context: soap.RequestContext
    sender: str
    recipient: str
    subject: str
    wants_report: bool
    parts: tuple[Part, ...]
    presentation: Presentation

    @property
    def is_ddm(self) -> bool:
        """Whether the message is text-only, like a device discovery message."""
        return all(part.mime_type in {"text/plain", "application/smil"} for part in self.parts)

    @property
    def size(self) -> int:
        """Total bytes of all parts, including the SMIL."""
        return sum(len(part.content) for part in self.parts)


@dataclass(frozen=True, slots=True)
class PartialSubmit:
    """Context and recipient of a request that is incomplete or invalid."""

    context: soap.RequestContext
    recipient: str


def read_partial_submit(start: bytes) -> PartialSubmit | None:
    """Extract context and recipient from the start of a request, or return None if the recipient is missing."""
    recipient = re.search(rb"<(?:\w+:)?Recipients\b.*?<(?:\w+:)?Number[^>]*>\s*\+?(\d+)", start, re.DOTALL)
    return PartialSubmit(guess_context(start), recipient.group(1).decode()) if recipient else None


def guess_context(request: bytes) -> soap.RequestContext:
    """Return the context for the answer to a request that may be invalid."""
    transaction = re.search(rb"<(?:\w+:)?TransactionID[^>]*>([^<]*)</", request)
    namespace = re.search(re.escape(soap.SCHEMAS.encode()) + rb"REL-[\w-]+", request)
    return soap.RequestContext(
        transaction_id=transaction.group(1).decode("utf-8", "replace").strip() if transaction else "",
        namespace=namespace.group().decode() if namespace else soap.NAMESPACE,
    )


def read_submit(content_type: str, body: bytes) -> Submit:
    """Parse a SubmitReq. Raises SubmitRefused."""
    try:
        document, attachments = _unpack(entity(content_type, body))
        transaction_id, request = _request(document)
        parts = _content(request, attachments)
        return Submit(
            context=soap.RequestContext(transaction_id, _namespace(request), _text(request, "MM7Version")),
            sender=_sender(request),
            recipient=_recipient(request),
            subject=_text(request, "Subject"),
            wants_report=_text(request, "DeliveryReport") in {"true", "1"},
            parts=parts,
            presentation=presentation.parse(parts),
        )
    except Malformed as error:
        raise SubmitRefused(2007, str(error)) from error


def _unpack(whole: Part) -> tuple[bytes, tuple[Part, ...]]:
    """Return the envelope and the attachments (SOAP messages with attachments: the root part is the first)."""
    if whole.mime_type == "text/xml":
        return whole.content, ()
    if whole.mime_type != "multipart/related":
        raise SubmitRefused(2007, f"Content-Type {whole.mime_type}: text/xml or multipart/related expected")
    parts = split(whole)
    if not parts or parts[0].mime_type != "text/xml":
        raise SubmitRefused(2007, "the root part is not text/xml")
    _check_root(whole, parts[0])
    return parts[0].content, parts[1:]


def _check_root(whole: Part, root: Part) -> None:
    """Check RFC 2387: `type` is the type of the root part, and `start`, if present, its Content-ID."""
    if whole.headers.get_param("type") != root.mime_type:
        raise SubmitRefused(2007, f"{whole.mime_type}: type is not {root.mime_type}")
    start = str(whole.headers.get_param("start", ""))
    if start and start.strip("<>") != root.content_id:
        raise SubmitRefused(2007, f"{whole.mime_type}: start {start} is not the Content-ID of the first part")


def _request(document: bytes) -> tuple[str, etree._Element]:
    """Return the TransactionID and the validated SubmitReq element."""
    try:
        envelope = soap.parse(document)
    except ValueError as error:
        raise SubmitRefused(2007, str(error)) from error
    requests = envelope.findall(f"{{{soap.SOAP}}}Body/*")
    if envelope.tag != f"{{{soap.SOAP}}}Envelope" or len(requests) != 1:
        raise SubmitRefused(2007, "not a SOAP 1.1 envelope with one request in its body")
    if etree.QName(requests[0]).localname != "SubmitReq":
        raise SubmitRefused(4003, f"{etree.QName(requests[0]).localname} is not supported")
    _check_children(requests[0])
    return _transaction_id(envelope, _namespace(requests[0])), requests[0]


def _transaction_id(envelope: etree._Element, namespace: str) -> str:
    element = envelope.find(f"{{{soap.SOAP}}}Header/{{{namespace}}}TransactionID")
    if element is None or not (element.text or "").strip():
        raise SubmitRefused(4004, "TransactionID is missing, or not in the namespace of SubmitReq")
    if element.get(f"{{{soap.SOAP}}}mustUnderstand") != "1":
        raise SubmitRefused(4004, "TransactionID: mustUnderstand is not 1")
    return (element.text or "").strip()


def _check_children(request: etree._Element) -> None:
    if not _namespace(request).startswith(soap.SCHEMAS + "REL-"):
        raise SubmitRefused(4004, f"SubmitReq is in the namespace {_namespace(request)!r}")
    names = []
    for child in request.iterchildren(etree.Element):
        if _namespace(child) != _namespace(request) or etree.QName(child).localname not in CHILDREN:
            raise SubmitRefused(4004, f"SubmitReq: {child.tag} is not in the schema")
        names.append(etree.QName(child).localname)
    if sorted(set(names), key=CHILDREN.index) != names:
        raise SubmitRefused(4004, "SubmitReq: elements are repeated or out of order: " + ", ".join(names))
    _check_values(request)


def _check_values(request: etree._Element) -> None:
    if not re.fullmatch(VALUE_PATTERNS["MM7Version"], _text(request, "MM7Version")):
        raise SubmitRefused(4002, f"MM7Version {_text(request, 'MM7Version')!r} is not supported")
    for child in request.iterchildren(etree.Element):
        name, value = etree.QName(child).localname, (child.text or "").strip()
        if name in VALUE_PATTERNS and not re.fullmatch(VALUE_PATTERNS[name], value):
            raise SubmitRefused(4004, f"{name} {value!r} is not allowed")
    if len(_text(request, "Subject")) > MAX_SUBJECT_LENGTH:
        raise SubmitRefused(4004, f"Subject is longer than {MAX_SUBJECT_LENGTH} characters")


def _sender(request: etree._Element) -> str:
    if not _text(request, "SenderIdentification", "VASPID"):
        raise SubmitRefused(4001, "VASPID is missing")
    address = _child(request, "SenderIdentification", "SenderAddress")
    digits = "" if address is None else "".join(str(text) for text in address.itertext()).strip().removeprefix("+")
    if not digits.isdecimal():
        raise SubmitRefused(2002, f"SenderAddress {digits!r} is not a number")
    return digits


def _recipient(request: etree._Element) -> str:
    recipients = _child(request, "Recipients")
    addresses = [] if recipients is None else recipients.findall("*/*")
    if len(addresses) != 1:
        raise SubmitRefused(3003 if addresses else 2002, f"Recipients: {len(addresses)} addresses, one expected")
    number = re.fullmatch(r"\+?(\d{7,15})", (addresses[0].text or "").strip())
    if etree.QName(addresses[0]).localname != "Number" or number is None:
        raise SubmitRefused(2002, f"Recipients: {(addresses[0].text or '').strip()!r} is not a telephone number")
    return number.group(1)


def _content(request: etree._Element, attachments: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return the parts that the Content element refers to."""
    content = _child(request, "Content")
    if content is None:
        return ()
    href = unquote(content.get("href", ""))
    part = next((part for part in attachments if f"cid:{part.content_id}" == href), None)
    if part is None:
        raise SubmitRefused(2007, f"Content: href {href!r} names no attachment")
    return split(part) if part.is_multipart else (part,)


def _namespace(element: etree._Element) -> str:
    return etree.QName(element).namespace or ""


def _child(request: etree._Element, *path: str) -> etree._Element | None:
    return request.find("/".join(f"{{{_namespace(request)}}}{name}" for name in path))


def _text(request: etree._Element, *path: str) -> str:
    element = _child(request, *path)
    return "" if element is None else (element.text or "").strip()
