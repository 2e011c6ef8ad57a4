"""The gate: whose call it is, and whether this account, this key and this caller may make it now."""

from collections.abc import Container
from typing import Final

from django.utils import timezone

from billing import keys
from billing.actions import Action
from billing.models import Account, ApiKey
from mms import callers
from mms.api import fields, pace
from mms.api.errors import Refusal
from mms.api.nodes import Node

# Other names that clients know an action by.
ALIASES: Final = {"getmmsids": Action.GET_MMS_TEMPLATES.value}


def admit(request: Node, action: str, actions: Container[str], address: str) -> Account:
    """The account that makes this request for the action from this address, where it may.

    `actions` holds the names, in lower case, of those that the door knows. Raises Refusal, in the documented order.
    """
    found = _key(request)  # E104
    account = found.account
    if account.status == Account.Status.BLOCKED:
        raise Refusal("E103", "This account is blocked; contact support")
    if not account.api_access:
        raise Refusal("E105", "This account has no API access; contact support")
    if account.allowed_networks and not callers.within(address, account.allowed_networks):
        raise Refusal(
            "E112", f"Calls from {address[:50]} are not allowed for this account; have the address added to its list"
        )
    if action.lower() not in actions:
        raise Refusal("E107", f"The action is unknown: {action[:40]}")
    called = ALIASES.get(action.lower(), action.lower())
    if not found.may(called):
        name = request.called("api_key")
        raise Refusal("E107", f"This {name} may not be used for {action[:40]}; use another key of the account")
    pace.check(account, called)  # E106, E113
    return account


def _key(request: Node) -> ApiKey:
    key = fields.once(request, "api_key", "E104")
    found = keys.find(key) if key else None
    if found is None:
        raise Refusal("E104", f"{request.called('api_key')} is {'unknown' if key else 'missing'}")
    keys.used(found, timezone.now())
    return found
