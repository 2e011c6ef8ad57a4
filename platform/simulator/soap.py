"""The envelopes of MM7 (3GPP TS 23.140, 8.7): SOAP 1.1, a TransactionID as header, one request as body."""

from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from simulator.behaviour import Shape

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SCHEMAS = "http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/"
NAMESPACE = SCHEMAS + "REL-6-MM7-1-4"
VERSION = "6.8.0"
SHORT_CODE_DIGITS = 6

# 3GPP TS 23.140, 8.7.8: status codes and their texts.
STATUS_TEXTS = {
    1000: "Success",
    1100: "Partial success",
    2000: "Client error",
    2001: "Operation restricted",
    2002: "Address error",
    2003: "Address not found",
    2004: "Multimedia content refused",
    2005: "Message ID not found",
    2006: "LinkedID not found",
    2007: "Message format corrupt",
    2008: "Application ID not found",
    2009: "Reply application ID not found",
    3000: "Server error",
    3001: "Not possible",
    3002: "Message rejected",
    3003: "Multiple addresses not supported",
    3004: "Application addressing not supported",
    4000: "General service error",
    4001: "Improper identification",
    4002: "Unsupported version",
    4003: "Unsupported operation",
    4004: "Validation error",
    4005: "Service error",
    4006: "Service unavailable",
    4007: "Service denied",
    4008: "Application denied",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What an answer must take over from the request."""

    transaction_id: str
    namespace: str = NAMESPACE
    version: str = VERSION


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report to be written. `handset` is the identity to name; addresses are digits."""

    message_id: str
    recipient: str
    sender: str
    status: str
    handset: str | None
    shape: Shape = Shape.PLAIN


def submit_response(dialect: Dialect, status_code: int, message_id: str | None) -> bytes:
    """A SubmitRsp; one that tells of failure carries no MessageID."""
    status = _status(status_code, "")
    identity = _element("MessageID", message_id) if message_id else ""
    version = _element("MM7Version", dialect.version)
    return _envelope(dialect, _request("SubmitRsp", dialect, version + status + identity))


def fault(dialect: Dialect, status_code: int, details: str = "") -> bytes:
    """A SOAP Fault whose detail is an RSErrorRsp (3GPP TS 23.140, 8.7.8)."""
    guilty = "Client" if status_code // 1000 in (2, 4) else "Server"
    version = _element("MM7Version", dialect.version)
    error = _request("RSErrorRsp", dialect, version + _status(status_code, details))
    return _envelope(
        dialect,
        f"<env:Fault><faultcode>env:{guilty}</faultcode><faultstring>{guilty} error</faultstring>"
        f"<detail>{error}</detail></env:Fault>",
    )


def delivery_report(dialect: Dialect, report: Report, at: datetime) -> bytes:
    """A DeliveryReportReq, its elements in the order of the schema, in the shape that the report asks for."""
    loose = report.shape is Shape.LOOSE
    swapped = report.shape is Shape.SWAPPED
    recipient = f"<Number>+{report.recipient}/TYPE=PLMN</Number>" if loose else _address(report.recipient)
    sender = _address(report.sender)
    fields = (
        _element("MM7Version", dialect.version)
        + _element("MMSRelayServerID", "simulator")
        + _element("MessageID", report.message_id)
        + f"<Recipient>{sender if swapped else recipient}</Recipient>"
        + f"<Sender>{recipient if swapped else sender}</Sender>"
        + ("" if loose else _element("Date", at.astimezone(UTC).isoformat(timespec="seconds")))
        + _element("MMStatus", report.status.lower() if loose else report.status)
        + (f"<UACapabilities UAProf={quoteattr(report.handset)}/>" if report.handset is not None else "")
    )
    return _envelope(dialect, _request("DeliveryReportReq", dialect, fields, qualified=not loose))


def read(document: bytes) -> etree._Element:
    """The root of an XML document. Raises ValueError for what is no XML or declares a document type."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"not well-formed XML: {error.msg}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise ValueError("a document type declaration is not allowed")
    return root


def status_code(answer: bytes) -> int | None:
    """The StatusCode of an answer, or nothing where it has none that can be read."""
    try:
        found = read(answer).findtext(".//{*}StatusCode")
        return int(found or "")
    except ValueError:
        return None


def _envelope(dialect: Dialect, body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<env:Envelope xmlns:env="{SOAP}"><env:Header>'
        f'<mm7:TransactionID xmlns:mm7={quoteattr(dialect.namespace)} env:mustUnderstand="1">'
        f"{escape(dialect.transaction_id)}</mm7:TransactionID>"
        f"</env:Header><env:Body>{body}</env:Body></env:Envelope>"
    ).encode()


def _request(name: str, dialect: Dialect, fields: str, qualified: bool = True) -> str:
    """The one child of the body; unqualified, its own children are in no namespace."""
    if qualified:
        return f"<{name} xmlns={quoteattr(dialect.namespace)}>{fields}</{name}>"
    return f"<mm7:{name} xmlns:mm7={quoteattr(dialect.namespace)}>{fields}</mm7:{name}>"


def _status(code: int, details: str) -> str:
    text = STATUS_TEXTS.get(code, "Operator specific")
    more = f"<Details>{escape(details)}</Details>" if details else ""
    return f"<Status><StatusCode>{code}</StatusCode><StatusText>{text}</StatusText>{more}</Status>"


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _address(digits: str) -> str:
    if len(digits) <= SHORT_CODE_DIGITS:
        return _element("ShortCode", digits)
    return _element("Number", f"+{digits}")
