"""Validators of an account's settings."""

import ipaddress
from collections.abc import Iterable

from django.core.exceptions import ValidationError

from billing.actions import Action

# The rate limiter stores the time of every call of the last second.
CALLS_MAX = 100_000


def networks(texts: Iterable[str]) -> None:
    """Check that the texts are addresses or networks in CIDR notation."""
    for text in texts:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            raise ValidationError(f"{text} is not a network in CIDR notation: {error}.") from error


def throughput(limits: object) -> None:
    """Check that the limits map action names to a whole number of calls per second."""
    if not isinstance(limits, dict):
        raise ValidationError('Enter a JSON object of action and calls per second, such as {"sendSavedMMS": 20}.')
    names = [str(name).lower() for name in limits]
    for name, limit in limits.items():
        if name.lower() not in Action.values:
            raise ValidationError(f"Unknown action {name}. The actions are: {', '.join(Action.labels)}.")
        if names.count(name.lower()) > 1:
            raise ValidationError(f"{name} is given more than once.")
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= CALLS_MAX:
            raise ValidationError(f"{name}: enter a whole number of calls per second from 1 to {CALLS_MAX}.")
