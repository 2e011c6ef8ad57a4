"""What a postback says: its fields, from a message and a step of it. Pure."""

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

# What a final delivery report (MMStatus of 3GPP TS 23.140, 8.7.7) is called towards customers.
OF_REPORT = {
    ReportStatus.RETRIEVED: DELIVERED,
    ReportStatus.EXPIRED: EXPIRED,
    ReportStatus.REJECTED: REJECTED,
    ReportStatus.NOT_SUPPORTED: NOT_SUPPORTED,
}

# Our queue gave up: the code of the postback that tells so.
GIVEN_UP = "E999"

# There is little left to spend. The hosted services have no such code: an account asks for it.
LOW_BALANCE = "N713"

# The order of the fields on the wire; absent ones are left out.
ORDER = (
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

# What tells the customer which of his messages, or which content, a postback is about.
ABOUT = ("origin", "mms-id", "from", "to", "tracking-id", "operator-id", "client-reference")


@dataclass(frozen=True, slots=True)
class Notice:
    """One step to tell the customer of: its code and status text, and what only this step knows."""

    code: str
    status: str
    details: str = ""
    handset: str = ""
    sent_as: str = "MMS"
    source: tuple[str, str] | None = None  # the URL of what could not be encoded, with its field: audio-name


def of_report(status: str) -> str:
    """The status text for the status of a final report."""
    return OF_REPORT.get(ReportStatus(status), FAILED)


def fields(notice: Notice, message: Message, at: datetime) -> dict[str, Any]:
    """The fields of the postback that tells of this step of the message, which happened at this moment."""
    values = {
        "origin": "MMS_MT",
        "code": notice.code,
        # What a template's audio and video come to, tells of nothing sent.
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
    return {name: values[name] for name in ORDER if values.get(name)}


def of_template(code: str, template: Template, at: datetime, more: Mapping[str, str]) -> dict[str, Any]:
    """The fields of the postback that tells what became of a template's audio and video, at this moment."""
    values = {
        "origin": "MMS_MT",
        "code": code,
        "mms-id": str(template.pk),
        "timestamp": at.isoformat(timespec="seconds"),
        **more,
    }
    return {name: values[name] for name in ORDER if values.get(name)}


def of_low_balance(details: str, at: datetime) -> dict[str, Any]:
    """The fields of the postback that tells that there is little left to spend, which was noticed at this moment."""
    return {
        "origin": "MMS_MT",
        "code": LOW_BALANCE,
        "timestamp": at.isoformat(timespec="seconds"),
        "status-details": details,
    }


def given_up(fields: Mapping[str, Any], code: str, tries: int, at: datetime) -> dict[str, Any]:
    """The fields of the E999 that follows a postback with these fields, which the customer would know by that code."""
    return {
        **{name: fields[name] for name in ABOUT if name in fields},
        "code": GIVEN_UP,
        "timestamp": at.isoformat(timespec="seconds"),
        "status-details": f"{code} was given up after {tries} tries; replayPostbacks sends it again",
    }
