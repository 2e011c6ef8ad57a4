"""Dialects of the customer API: tables of names for one canonical request and one canonical answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one dialect names the root elements, and its names for the canonical parameters and answers."""

    request: str
    response: str
    names: Mapping[str, str]  # canonical -> on the wire

    @property
    def canonical(self) -> dict[str, str]:
        return {wire: name for name, wire in self.names.items()}


SINCH: Final = Dialect(
    request="request",
    response="response",
    names={
        "action": "action",
        "api_key": "api-key",
        "to": "to",
        "from": "from",
        "mms_id": "mms-id",
        "service_id": "service-id",
        "operator_id": "operator-id",
        "fallback_sms_text": "fallback-sms-text",
        "custom_subject": "custom-subject",
        "custom_text": "custom-text",
        "value": "value",
        "slide": "slide",
        "data": "data",
        "ddm_force": "ddm-force",
        "ddm_subject": "ddm-message-subject",
        "ddm_text": "ddm-message-text",
        "ddm_timeout": "ddm-message-timeout",
        "device": "device",
        "client_reference": "client-reference",
        "name": "name",
        "subject": "message-subject",
        "message_text": "message-text",
        "duration": "duration",
        "image": "image",
        "audio": "audio",
        "video": "video",
        "vcard": "vcard",
        "ical": "ical",
        "pdf": "pdf",
        "passbook": "passbook",
        "url": "url",
        "status": "status",
        "tracking_id": "tracking-id",
        "status_details": "status-details",
        "since": "since",
        "until": "until",
        "replayed": "replayed",
        "error_code": "error-code",
        "error_info": "error-info",
    },
)
