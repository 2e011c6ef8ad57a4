"""Authorization: identifies the account of a call, and checks account, key, client address and rate limits."""

from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from django.db import Error
from django.utils import timezone

from base.stale_cache import Freshness
from billing import keys
from billing.actions import Action
from billing.models import Account, ApiKey
from mms.api import parameters, rate_limits
from mms.api.errors import Refusal
from mms.api.request_tree import Node
from mms.runtime import client_address

# Alternative names of actions.
ALIASES: Final = {"getmmsids": Action.GET_MMS_TEMPLATES.value}
KNOWN: Final = frozenset({*Action.values, *ALIASES})


@dataclass(slots=True)
class Call:
    """A request for an action, from a client address."""

    request: Node
    action: str
    address: str
    key: ApiKey | None = field(default=None, init=False)  # once it has been found
    account: Account | None = field(default=None, init=False)  # once the call is authorized
    _counted: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """The action in lower case: names are case-insensitive."""
        return self.action.lower()

    @property
    def known_name(self) -> str:
        """The name for the log: "" for an unknown action, since a client may send any text."""
        return self.name if self.name in KNOWN else ""

    def authorize(self, actions: Container[str], freshness: Freshness) -> ApiKey:
        """Return the API key of the call, checked against data of this freshness.

        `actions` holds the lower-case names of the supported actions. Raises Refusal for the first fault in the
        documented order.
        """
        self.key = found = self._key(freshness)  # E104
        account = found.account
        if account.status == Account.Status.BLOCKED:
            raise Refusal("E103", "This account is blocked; contact support")
        if not account.api_access:
            raise Refusal("E105", "This account has no API access; contact support")
        if account.allowed_networks and not client_address.in_networks(self.address, account.allowed_networks):
            refused = f"Requests from {self.address[:50]} are not allowed for this account"
            raise Refusal("E112", f"{refused}; contact support to allow this address")
        if self.name not in actions:
            raise Refusal("E107", f"The action is unknown: {self.action[:40]}")
        called = ALIASES.get(self.name, self.name)
        if not found.allows(called):
            refused = f"This {self.request.name_of('api_key')} may not be used for {self.action[:40]}"
            raise Refusal("E107", f"{refused}; use another key of the account")
        self._count(rate_limits.limits_of(account, called))  # E106, E113
        self.account = account
        return found

    def record_key_use(self) -> None:
        """Record that the key was used, unless an accept did so in its transaction.

        Ignores database errors: the action has already been performed.
        """
        if self.key:
            with suppress(Error):
                keys.record_use([self.key], timezone.now())

    def _key(self, freshness: Freshness) -> ApiKey:
        key = parameters.text_of(self.request, "api_key", "E104")
        found = keys.find(key, freshness) if key else None
        if found is None:
            raise Refusal("E104", f"{self.request.name_of('api_key')} is {'unknown' if key else 'missing'}")
        return found

    def _count(self, limits: rate_limits.Limits) -> None:
        """Count the call once, even if it is authorized again with current data and other limits."""
        if not self._counted:
            rate_limits.check(limits)
            self._counted = True
