"""Notices: the code, status text and fields of each postback, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mms.models import Message, Template
from mms.protocol.reports import ReportStatus

MESSAGE_SENT = "Message Sent"
MESSAGE_FAILED = "Message Failed"
DELIVERED = "Message Sent/Delivered"
EXPIRED = "Message Sent/Expired"
REJECTED = "Message Sent/Rejected"
FAILED = "Message Sent/Failed"
NOT_SUPPORTED = "Message Sent/Not Supported"

# Final MMStatus (3GPP TS 23.140, 8.7.7) -> status text for customers.
REPORT_STATUS_TEXTS = {
    ReportStatus.RETRIEVED: DELIVERED,
    ReportStatus.EXPIRED: EXPIRED,
    ReportStatus.REJECTED: REJECTED,
    ReportStatus.NOT_SUPPORTED: NOT_SUPPORTED,
}

# The code of the postback that reports that another one was given up.
GIVEN_UP = "E999"

# The balance is low. The hosted services have no such code, so an account has to switch it on.
LOW_BALANCE = "N713"

# The order of the fields on the wire; absent ones are left out.
FIELD_ORDER = (
    "origin",
    "code",
    "sent-as",
    "status",
    "mms-id",
    "from",
    "to",
    "keyword",
    "tracking-id",
    "operator-id",
    "timestamp",
    "message-subject",
    "handset",
    "status-details",
    "client-reference",
    "audio-name",
    "video-name",
    "image-name",
    "content",
)

# The fields by which a customer knows the message or content of a postback.
IDENTIFYING_FIELDS = ("origin", "mms-id", "from", "to", "tracking-id", "operator-id", "client-reference")


@dataclass(frozen=True, slots=True)
class Notice:
    """The postback of one step: its code and status text, and the fields that depend on the step."""

    code: str
    status: str
    details: str = ""
    handset: str = ""
    sent_as: str = "MMS"
    source: tuple[str, str] | None = None  # (field such as audio-name, URL of the medium that could not be encoded)


def report_status_text(status: str) -> str:
    """Return the status text for the status of a final report."""
    return REPORT_STATUS_TEXTS.get(ReportStatus(status), FAILED)


def message_fields(notice: Notice, message: Message, at: datetime) -> dict[str, Any]:
    """Return the fields of the postback for a step of the message that happened at this time."""
    values = {
        "origin": "MMS_MT",
        "code": notice.code,
        # Notices about the encoding of a template have no status: nothing was sent.
        "sent-as": notice.sent_as if notice.status else "",
        "status": notice.status,
        "mms-id": str(message.template_id),
        "from": message.sender,
        "to": message.number,
        "tracking-id": message.tracking_id,
        "operator-id": message.operator_id or str(message.carrier.operator_id),
        "timestamp": at.isoformat(timespec="seconds"),
        "handset": notice.handset,
        "status-details": notice.details,
        "client-reference": message.client_reference,
        **dict([notice.source] if notice.source else []),
    }
    return {name: values[name] for name in FIELD_ORDER if values.get(name)}


def template_fields(code: str, template: Template, at: datetime, more: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of the postback for the encoding of a template's audio and video, which ended at this time."""
    values = {
        "origin": "MMS_MT",
        "code": code,
        "mms-id": str(template.pk),
        "timestamp": at.isoformat(timespec="seconds"),
        **more,
    }
    return {name: values[name] for name in FIELD_ORDER if values.get(name)}


def low_balance_fields(details: str, at: datetime) -> dict[str, Any]:
    """Return the fields of the postback for a low balance, detected at this time."""
    return {
        "origin": "MMS_MT",
        "code": LOW_BALANCE,
        "timestamp": at.isoformat(timespec="seconds"),
        "status-details": details,
    }


def give_up_fields(fields: Mapping[str, Any], code: str, tries: int, at: datetime) -> dict[str, Any]:
    """Return the fields of the E999 for a given-up postback with these fields, known to the customer by this code."""
    return {
        **{name: fields[name] for name in IDENTIFYING_FIELDS if name in fields},
        "code": GIVEN_UP,
        "timestamp": at.isoformat(timespec="seconds"),
        "status-details": f"{code} was given up after {tries} tries; replayPostbacks sends it again",
    }
