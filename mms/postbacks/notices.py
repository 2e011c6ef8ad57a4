"""What a postback says: its fields from a message and a step, and its bytes on the wire. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mms.mm7.status import MMStatus
from mms.models import Message
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
)


@dataclass(frozen=True, slots=True)
class Notice:
    """One step to tell the customer of: its code and status text, and what only this step knows."""

    code: str
    status: str
    details: str = ""
    handset: str = ""
    sent_as: str = "MMS"


def of_report(status: str) -> str:
    """The status text for the status of a final report."""
    return OF_REPORT.get(MMStatus(status), FAILED)


def fields(notice: Notice, message: Message, at: datetime) -> dict[str, Any]:
    """The fields of the postback that tells of this step of the message, which happened at this moment."""
    values = {
        "origin": "MMS_MT",
        "code": notice.code,
        "sent-as": notice.sent_as,
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
    }
    return {name: values[name] for name in ORDER if values[name]}


def body(fields: dict[str, Any]) -> bytes:
    """The XML document in the Sinch dialect."""
    return document("postback", ((name, fields[name]) for name in ORDER if name in fields))
