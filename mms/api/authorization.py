"""The gate: whose call it is, and whether this account, this key and this caller may make it now."""

from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from django.db import DatabaseError
from django.utils import timezone

from billing import keys
from billing.actions import Action
from billing.models import Account, ApiKey
from mms.api import fields, rate_limits
from mms.api.errors import Refusal
from mms.api.nodes import Node
from mms.runtime import client_address

# Other names that clients know an action by.
ALIASES: Final = {"getmmsids": Action.GET_MMS_TEMPLATES.value}


@dataclass(slots=True)
class Call:
    """A request for an action, from this address."""

    request: Node
    action: str
    address: str
    key: ApiKey | None = field(default=None, init=False)  # once it is found
    account: Account | None = field(default=None, init=False)  # once it is admitted
    _counted: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """The action, as names are compared."""
        return self.action.lower()

    def admitted(self, actions: Container[str]) -> ApiKey:
        """The key by which the call is made, where it may be.

        `actions` holds the names, in lower case, of those that the door knows. Raises Refusal, in the documented order.
        """
        self.key = found = self._key()  # E104
        account = found.account
        if account.status == Account.Status.BLOCKED:
            raise Refusal("E103", "This account is blocked; contact support")
        if not account.api_access:
            raise Refusal("E105", "This account has no API access; contact support")
        if account.allowed_networks and not client_address.within(self.address, account.allowed_networks):
            refused = f"Calls from {self.address[:50]} are not allowed for this account"
            raise Refusal("E112", f"{refused}; have the address added to its list")
        if self.name not in actions:
            raise Refusal("E107", f"The action is unknown: {self.action[:40]}")
        called = ALIASES.get(self.name, self.name)
        if not found.may(called):
            refused = f"This {self.request.called('api_key')} may not be used for {self.action[:40]}"
            raise Refusal("E107", f"{refused}; use another key of the account")
        self._count(rate_limits.limits(account, called))  # E106, E113
        self.account = account
        return found

    def note_use(self) -> None:
        """Notes that the key is in use, where no accept did so in its own transaction.

        The call has been served by now: it does not fail because that cannot be noted.
        """
        if self.key:
            with suppress(DatabaseError):
                keys.used([self.key], timezone.now())

    def _key(self) -> ApiKey:
        key = fields.once(self.request, "api_key", "E104")
        found = keys.find(key) if key else None
        if found is None:
            raise Refusal("E104", f"{self.request.called('api_key')} is {'unknown' if key else 'missing'}")
        return found

    def _count(self, limits: rate_limits.Limits) -> None:
        """Once a call, also where it is looked at a second time and the limits are others by then."""
        if not self._counted:
            rate_limits.check(limits)
            self._counted = True
