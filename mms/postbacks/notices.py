"""What a postback says: its fields from a message and a step, and its bytes on the wire. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mms.mm7.status import MMStatus
from mms.models import Message, Template
from mms.xml import document

MESSAGE_SENT = "Message Sent"
MESSAGE_FAILED = "Message Failed"
DELIVERED = "Message Sent/Delivered"
EXPIRED = "Message Sent/Expired"
REJECTED = "Message Sent/Rejected"
FAILED = "Message Sent/Failed"
NOT_SUPPORTED = "Message Sent/Not Supported"

# What a final delivery report (MMStatus of 3GPP TS 23.140, 8.7.7) is called towards customers.
OF_REPORT = {
    MMStatus.RETRIEVED: DELIVERED,
    MMStatus.EXPIRED: EXPIRED,
    MMStatus.REJECTED: REJECTED,
    MMStatus.NOT_SUPPORTED: NOT_SUPPORTED,
}

# The order of the fields on the wire; absent ones are left out.
ORDER = (
    "origin",
    "code",
    "sent-as",
    "status",
    "mms-id",
    "from",
    "to",
    "tracking-id",
    "operator-id",
    "timestamp",
    "handset",
    "status-details",
    "client-reference",
    "audio-name",
    "video-name",
)


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
    return OF_REPORT.get(MMStatus(status), FAILED)


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


def body(fields: dict[str, Any]) -> bytes:
    """The XML document in the Sinch dialect."""
    return document("postback", ((name, fields[name]) for name in ORDER if name in fields))
