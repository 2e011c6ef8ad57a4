"""An order: a request to send stored content, every part of it checked."""

from dataclasses import dataclass, field
from typing import Any

from billing.models import Account, Service
from mms.models import Carrier, Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a customer asked for, with the sender address and the carrier that were chosen for it."""

    account: Account
    number: str
    country: str
    sender: str
    carrier: Carrier
    template: Template
    service: Service | None
    subject: str
    operator_id: str = ""
    fallback_text: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    ddm_text: str = ""
    ddm_subject: str = ""
    ddm_timeout: int = 5
    ddm_force: bool = False
    device: str = ""
    client_reference: str = ""

    def fields(self) -> dict[str, Any]:
        """The fields of the message that this order becomes: all but what only its acceptance needs."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "device"}
