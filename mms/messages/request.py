"""The send request: a parsed and validated sendSavedMMS, as the API passes it to accept."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from base.stale_cache import Freshness
from billing.models import Account, ApiKey, Service
from mms.models import Carrier, Template

# Used by accept, but not stored with the message.
NOT_STORED: Final = {"device", "expires_at", "key", "freshness"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """A validated send request, with the sender address and the carrier chosen for it."""

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
    ddm_timeout: int = 5  # minutes
    ddm_force: bool = False
    device: str = ""
    from_mask: str = ""
    client_reference: str = ""
    expires_at: datetime | None = None
    key: ApiKey | None = None  # the API key of the request
    freshness: Freshness = Freshness.CURRENT  # of the data used in its validation

    def message_fields(self) -> dict[str, Any]:
        """Return the model fields of the message that this request becomes."""
        return dict(zip(STORED, _stored_values(self), strict=True))


STORED: Final = tuple(each.name for each in fields(SendRequest) if each.name not in NOT_STORED)
_stored_values: Final = attrgetter(*STORED)
