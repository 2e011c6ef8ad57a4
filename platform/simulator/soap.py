"""MM7 envelopes (3GPP TS 23.140, 8.7): SOAP 1.1 with a TransactionID header and one request in the body."""

from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from simulator.behaviour import ReportFormat

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SCHEMAS = "http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/"
NAMESPACE = SCHEMAS + "REL-6-MM7-1-4"
VERSION = "6.8.0"
SHORT_CODE_DIGITS = 6

# Status codes and their texts: 3GPP TS 23.140, 8.7.8.
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
class RequestContext:
    """The properties of a request that its answer repeats."""

    transaction_id: str
    namespace: str = NAMESPACE
    version: str = VERSION


@dataclass(frozen=True, slots=True)
class Report:
    """Content of a delivery report. `handset` is the identity to report; addresses are digits."""

    message_id: str
    recipient: str
    sender: str
    status: str
    handset: str | None
    report_format: ReportFormat = ReportFormat.STANDARD


def submit_response(context: RequestContext, status_code: int, message_id: str | None) -> bytes:
    """Return a SubmitRsp; one that reports a failure has no MessageID."""
    status = _status(status_code, "")
    identity = _element("MessageID", message_id) if message_id else ""
    version = _element("MM7Version", context.version)
    return _envelope(context, _request("SubmitRsp", context, version + status + identity))


def fault(context: RequestContext, status_code: int, details: str = "") -> bytes:
    """Return a SOAP Fault with an RSErrorRsp as its detail (3GPP TS 23.140, 8.7.8)."""
    origin = "Client" if status_code // 1000 in (2, 4) else "Server"
    version = _element("MM7Version", context.version)
    error = _request("RSErrorRsp", context, version + _status(status_code, details))
    return _envelope(
        context,
        f"<env:Fault><faultcode>env:{origin}</faultcode><faultstring>{origin} error</faultstring>"
        f"<detail>{error}</detail></env:Fault>",
    )


def delivery_report(context: RequestContext, report: Report, at: datetime) -> bytes:
    """Return a DeliveryReportReq in the report's format, with its elements in schema order."""
    loose = report.report_format is ReportFormat.LOOSE
    swapped = report.report_format is ReportFormat.SWAPPED
    recipient = f"<Number>+{report.recipient}/TYPE=PLMN</Number>" if loose else _address(report.recipient)
    sender = _address(report.sender)
    fields = (
        _element("MM7Version", context.version)
        + _element("MMSRelayServerID", "simulator")
        + _element("MessageID", report.message_id)
        + f"<Recipient>{sender if swapped else recipient}</Recipient>"
        + f"<Sender>{recipient if swapped else sender}</Sender>"
        + ("" if loose else _element("Date", at.astimezone(UTC).isoformat(timespec="seconds")))
        + _element("MMStatus", report.status.lower() if loose else report.status)
        + (f"<UACapabilities UAProf={quoteattr(report.handset)}/>" if report.handset is not None else "")
    )
    return _envelope(context, _request("DeliveryReportReq", context, fields, qualified=not loose))


def parse(document: bytes) -> etree._Element:
    """Return the root of an XML document. Raises ValueError if it is malformed or declares a document type."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"not well-formed XML: {error.msg}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise ValueError("a document type declaration is not allowed")
    return root


def status_code(answer: bytes) -> int | None:
    """Return the StatusCode of an answer, or None if it has no valid one."""
    try:
        found = parse(answer).findtext(".//{*}StatusCode")
        return int(found or "")
    except ValueError:
        return None


def _envelope(context: RequestContext, body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<env:Envelope xmlns:env="{SOAP}"><env:Header>'
        f'<mm7:TransactionID xmlns:mm7={quoteattr(context.namespace)} env:mustUnderstand="1">'
        f"{escape(context.transaction_id)}</mm7:TransactionID>"
        f"</env:Header><env:Body>{body}</env:Body></env:Envelope>"
    ).encode()


def _request(name: str, context: RequestContext, fields: str, qualified: bool = True) -> str:
    """Return the child element of the SOAP body; if not `qualified`, its own children have no namespace."""
    if qualified:
        return f"<{name} xmlns={quoteattr(context.namespace)}>{fields}</{name}>"
    return f"<mm7:{name} xmlns:mm7={quoteattr(context.namespace)}>{fields}</mm7:{name}>"


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
