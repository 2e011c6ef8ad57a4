"""Chooses the route of a message: its sender address and its carrier."""

from dataclasses import dataclass

from base.stale_cache import Freshness
from billing import blocklist
from billing.models import Account, SenderAddress
from mms.api.errors import Refusal
from mms.api.request_tree import Node
from mms.messages import routing
from mms.models import Carrier


@dataclass(frozen=True, slots=True)
class Route:
    """The sender address and the carrier of a message."""

    sender: SenderAddress
    carrier: Carrier


def choose_route(
    request: Node,
    account: Account,
    number: str,
    country: str,
    requested_sender: str,
    requested_carrier: Carrier | None,
    freshness: Freshness,
) -> Route:
    """Return the route to a number in this country. Raises Refusal for the first fault in the documented order."""
    sender = _sender(request, account, requested_sender, country, freshness)  # E111
    if freshness is Freshness.CURRENT:  # the accept checks a cached request, in one query for the batch
        _check_not_blocked(account, number)  # E114
    carrier = requested_carrier or routing.carrier_for(number, freshness)
    if carrier is None:
        hint = f"try again later or specify {request.name_of('operator_id')}"
        raise Refusal("E618", f"The carrier of this number could not be found; {hint}")
    if not sender.is_provisioned_on(carrier.operator_id):
        missing = f"The sender address {sender.address} is not provisioned on the carrier {carrier.name}"
        raise Refusal("E619", f"{missing}; use another sender address")
    if not (carrier.enabled and carrier.mmsc_url):
        raise Refusal("E628", f"The carrier {carrier.name} is currently not supported; contact support")
    return Route(sender, carrier)


def _sender(
    request: Node, account: Account, requested_sender: str, country: str, freshness: Freshness
) -> SenderAddress:
    chosen = routing.sender_for(freshness, account, requested_sender, country)
    if chosen is None:
        unassigned = (
            f"{requested_sender} is not assigned to {country}, and the account has no default sender address for it"
        )
        raise Refusal("E111", f"{request.name_of('from')}: {unassigned}")
    return chosen


def _check_not_blocked(account: Account, number: str) -> None:
    entry = blocklist.find_entry(account, number)
    if entry:
        whose = "the platform's" if entry.account_id is None else "this account's"
        raise Refusal("E114", f"The recipient is on {whose} block list")
