"""An order: a request to send stored content, every part of it checked."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from billing.models import Account, ApiKey, Service
from mms.models import Carrier, Template

# What only the acceptance needs.
NOT_KEPT = {"device", "expires_at", "key", "recalled"}


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
    disable_fallback_sms: bool = False
    disable_fallback_sms_link: bool = False
    fallback_sms_link_expiration: datetime | None = None
    texts: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    ddm_text: str = ""
    ddm_subject: str = ""
    ddm_timeout: int = 5
    ddm_force: bool = False
    device: str = ""
    from_mask: str = ""
    client_reference: str = ""
    expires_at: datetime | None = None
    key: ApiKey | None = None  # by which it came
    recalled: bool = False  # it was checked against what was remembered: the key is to be looked at again

    def fields(self) -> dict[str, Any]:
        """The fields of the message that this order becomes: all but what is not kept."""
        return dict(zip(KEPT, KEPT_OF(self), strict=True))


KEPT: Final = tuple(each.name for each in fields(Order) if each.name not in NOT_KEPT)
KEPT_OF: Final = attrgetter(*KEPT)
