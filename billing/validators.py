"""What an account's settings may hold."""

import ipaddress
from collections.abc import Iterable

from django.core.exceptions import ValidationError

from billing.actions import Action

# The moments of as many calls are kept for a second.
CALLS_MAX = 100_000


def networks(texts: Iterable[str]) -> None:
    """Addresses and networks in CIDR notation."""
    for text in texts:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            raise ValidationError(f"{text} is no network in CIDR notation: {error}.") from error


def throughput(limits: object) -> None:
    """A JSON object from an action's name to a whole number of calls per second."""
    if not isinstance(limits, dict):
        raise ValidationError('A JSON object from action to calls per second, such as {"sendSavedMMS": 20}.')
    names = [str(name).lower() for name in limits]
    for name, limit in limits.items():
        if name.lower() not in Action.values:
            raise ValidationError(f"{name} is no action; there are {', '.join(Action.labels)}.")
        if names.count(name.lower()) > 1:
            raise ValidationError(f"{name} stands more than once.")
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= CALLS_MAX:
            raise ValidationError(f"{name}: calls per second are a whole number from 1 to {CALLS_MAX}.")
