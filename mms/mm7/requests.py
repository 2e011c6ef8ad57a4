"""Requests from an MMSC and their responses: delivery reports, messages from handsets, read replies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypedDict
from xml.sax.saxutils import quoteattr

from lxml import etree

from mms.mm7.soap import (
    MAX_ID,
    REL_6,
    Malformed,
    find,
    local_name,
    namespace_of,
    plain_name,
    read_envelope,
    text,
    value,
    write_envelope,
)
from mms.mm7.status import NO_OVERRIDES, read_status
from mms.protocol.reports import DeliveryReport, ReportStatus
from mms.runtime.xml import escape_text

MAX_TEXT: Final = 500  # characters of a status text or a subject that are kept
MAX_HANDSET: Final = 500  # characters; longer values are ignored

# A number in any of the forms that MMSCs send: +, tel:, /TYPE=PLMN, @host, and punctuation.
_ADDRESS: Final = re.compile(
    r"(?:tel:|sip:)?\s*\+?\s*([0-9(][0-9\s().-]*)(?:/TYPE=[^@]*)?(?:[@;].*)?", re.IGNORECASE | re.DOTALL
)
_E164_DIGITS: Final = 15
# Namespaces that may be echoed in a response: broken requests have namespaces that are not URIs.
_NAMESPACE: Final = re.compile(r"https?://[\w.-]+(?:/[\w./~-]*)?|urn:[\w-]+:[\w.:/-]+", re.ASCII)


# The name of an operation, which a response echoes.
_REQUEST: Final = re.compile(r"[A-Z]\w{0,60}req", re.ASCII | re.IGNORECASE)
UNSUPPORTED: Final = 4003  # Unsupported operation (3GPP TS 23.140, 8.7.9.1)


class UnsupportedOperation(Exception):
    """The MM7 operation is not supported; the attributes are for the response."""

    def __init__(self, name: str, transaction_id: str, version: str, namespace: str) -> None:
        super().__init__(f"the operation {name} is not supported")
        self.name = name
        self.transaction_id = transaction_id
        self.version = version
        self.namespace = namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The fields common to all requests from an MMSC. Numbers are digits only; other addresses are dropped.

    Some MMSCs swap recipients and senders, so neither can be trusted until the message is known. `date` is in UTC,
    or None if missing or unreadable; `version` and `namespace` are the MMSC's, for the response.
    """

    transaction_id: str
    version: str
    namespace: str
    message_id: str | None
    recipients: tuple[str, ...]
    senders: tuple[str, ...]
    date: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReportReq(Request):
    """A delivery report (3GPP TS 23.140, 8.7.7).

    `handset` is the identity that the carrier gave, stripped; "Default" and "" are kept, None means that the report
    has none.
    """

    status: ReportStatus
    raw_status: str
    status_text: str
    handset: str | None

    def delivery_report(self) -> DeliveryReport:
        """Return the report without the envelope of MM7."""
        return DeliveryReport(
            message_id=self.message_id or "",
            recipients=self.recipients,
            senders=self.senders,
            reported_at=self.date,
            status=self.status,
            raw_status=self.raw_status,
            text=self.status_text,
            handset=self.handset,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverReq(Request):
    """A message from a handset (3GPP TS 23.140, 8.7.5), without its content."""

    linked_id: str | None
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadReplyReq(Request):
    """A read reply (3GPP TS 23.140, 8.7.8); `raw_status` is the MMSC's own term."""

    raw_status: str


class _Common(TypedDict):
    transaction_id: str
    version: str
    namespace: str
    message_id: str | None
    recipients: tuple[str, ...]
    senders: tuple[str, ...]
    date: datetime | None


def read_request(
    content_type: str, body: bytes, statuses: Mapping[str, ReportStatus] = NO_OVERRIDES
) -> DeliveryReportReq | DeliverReq | ReadReplyReq:
    """Parse the request in an HTTP body. `statuses` maps the carrier's own MMStatus texts or numbers.

    Raises Malformed for an unreadable body, UnsupportedOperation for another operation.
    """
    root = read_envelope(content_type, body)
    operation = _operation(root)
    common = _common(root, operation)
    match local_name(operation):
        case "deliveryreportreq":
            return _delivery_report(operation, common, statuses)
        case "deliverreq":
            linked_id = value(operation, "linkedid") or None
            return DeliverReq(**common, linked_id=linked_id, subject=value(operation, "subject")[:MAX_TEXT])
        case "readreplyreq":
            return ReadReplyReq(**common, raw_status=value(operation, "mmstatus")[:MAX_TEXT])
        case _:
            echoed = (common["transaction_id"], common["version"], common["namespace"])
            raise UnsupportedOperation(plain_name(operation)[:100], *echoed)


def write_response(request: Request, status_code: int = 1000, status_text: str = "Success") -> bytes:
    """Return the matching response, in the request's namespace and version (3GPP TS 23.140, 8.7.5 to 8.7.8)."""
    name = type(request).__name__.removesuffix("Req") + "Rsp"
    body = _status(name, request.namespace, request.version, status_code, status_text)
    return write_envelope(request.transaction_id, request.namespace, body)


def write_refusal(refused: UnsupportedOperation) -> bytes | None:
    """Return the response that matches a refused request, with code 4003; None if its name is not that of a request.

    An MMSC repeats a request that is answered with a Fault, but takes a response for an answer.
    """
    if not _REQUEST.fullmatch(refused.name):
        return None
    name = refused.name[: -len("Req")] + "Rsp"
    body = _status(name, refused.namespace, refused.version, UNSUPPORTED, str(refused))
    return write_envelope(refused.transaction_id, refused.namespace, body)


def write_fault(transaction_id: str, status_code: int, status_text: str, namespace: str = REL_6) -> bytes:
    """Return a SOAP Fault with the VASPErrorRsp required by 3GPP TS 23.140, 8.7.9.3, for HTTP status 500.

    Codes 2xxx are client errors, all others server errors.
    """
    side = "Client" if status_code // 1000 == 2 else "Server"
    detail = _status("VASPErrorRsp", namespace, _default_version(namespace), status_code, status_text)
    body = (
        f"<env:Fault><faultcode>env:{side}</faultcode><faultstring>{side} error</faultstring>"
        f"<detail>{detail}</detail></env:Fault>"
    )
    return write_envelope(transaction_id, namespace, body)


def _status(name: str, namespace: str, version: str, code: int, status_text: str) -> str:
    return (
        f"<{name} xmlns={quoteattr(namespace)}><MM7Version>{escape_text(version)}</MM7Version>"
        f"<Status><StatusCode>{code}</StatusCode><StatusText>{escape_text(status_text)}</StatusText></Status></{name}>"
    )


def _default_version(namespace: str) -> str:
    return "5.3.0" if "REL-5" in namespace else "6.8.0"


def _operation(root: etree._Element) -> etree._Element:
    body = find(root, "body")
    if body is None:
        raise Malformed("there is no SOAP Body")
    operation = next(body.iterchildren("*"), None)
    if operation is None:
        raise Malformed("the SOAP Body is empty")
    return operation


def _common(root: etree._Element, operation: etree._Element) -> _Common:
    transaction = find(root, "transactionid")
    spaces = (namespace_of(each) for each in (operation, transaction, *operation) if each is not None)
    space = next((each for each in spaces if _NAMESPACE.fullmatch(each)), REL_6)
    return {
        "transaction_id": _check_length("TransactionID", text(transaction)),
        "version": value(operation, "mm7version")[:20] or _default_version(space),
        "namespace": space,
        "message_id": _check_length("MessageID", value(operation, "messageid")) or None,
        "recipients": _find_numbers(operation, "recipient", "recipients", "to"),
        "senders": _find_numbers(operation, "sender", "senderaddress"),
        "date": _parse_date(value(operation, "date") or value(operation, "timestamp")),
    }


def _delivery_report(
    operation: etree._Element, common: _Common, statuses: Mapping[str, ReportStatus]
) -> DeliveryReportReq:
    raw_status = (value(operation, "mmstatus") or value(operation, "statuscode"))[:MAX_TEXT]
    if not raw_status:
        raise Malformed("MMStatus is missing")
    if common["message_id"] is None and not common["recipients"] and not common["senders"]:
        raise Malformed("MessageID and Recipient are both missing")
    return DeliveryReportReq(
        **common,
        status=read_status(raw_status, statuses),
        raw_status=raw_status,
        status_text=value(operation, "statustext")[:MAX_TEXT],
        handset=_handset_identity(operation),
    )


def _handset_identity(operation: etree._Element) -> str | None:
    """Read UACapabilities: the UAProf attribute of the schema, a UAProf element, or plain text."""
    capabilities = find(operation, "uacapabilities")
    if capabilities is None:
        return None
    attributes = {str(name).rpartition("}")[2].lower(): str(raw) for name, raw in capabilities.attrib.items()}
    element = find(capabilities, "uaprof")
    plain = text(capabilities if element is None else element)
    identity = attributes.get("uaprof", plain).strip()
    return identity if len(identity) <= MAX_HANDSET else None


def _find_numbers(operation: etree._Element, *names: str) -> tuple[str, ...]:
    """Return the numbers in the operation's children of these names, at any depth."""
    holders = [child for child in operation.iterchildren("*") if local_name(child) in names]
    leaves = [text(leaf) for holder in holders for leaf in holder.iter("*") if not len(leaf)]
    return tuple(number for leaf in leaves if (number := digits(leaf)))


def digits(address: str) -> str:
    """Return the digits of a number in any notation that MMSCs use; empty for other addresses, such as e-mail.

    `tel:+61 400 000 001`, `+61400000001/TYPE=PLMN@mms.example.net` and `61400000001` are equivalent.
    """
    found = _ADDRESS.fullmatch(address.strip()[:MAX_ID])
    number = re.sub("[^0-9]", "", found[1]) if found else ""
    return number if len(number) <= _E164_DIGITS else ""


def _parse_date(raw: str) -> datetime | None:
    """Parse ISO 8601, in UTC if it has no zone; None for anything else, as a bad date does not invalidate a report."""
    try:
        given = datetime.fromisoformat(raw)
        date = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # No MM7 date is before 2000; year 1 is the unset date of .NET.
    return date if 2000 <= date.year < 2100 else None


def _check_length(name: str, raw: str) -> str:
    if len(raw) > MAX_ID:
        raise Malformed(f"{name} is longer than {MAX_ID} characters")
    return raw
