"""Who calls us: the address at the other end, seen through the reverse proxies that are our own."""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest


def address(request: HttpRequest) -> str:
    """The address that the request comes from."""
    return of(request.META)


def of(environ: Mapping[str, Any]) -> str:
    """The address that a request of this WSGI environment comes from.

    X-Forwarded-For is read from its end, where our own proxies write, up to the first address that is none of theirs:
    what stands before it is only the caller's word.
    """
    forwarded = environ.get("HTTP_X_FORWARDED_FOR", "")
    before = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    caller = str(environ.get("REMOTE_ADDR", ""))
    while before and within(caller, settings.TRUSTED_PROXIES):
        caller = before.pop()
    return caller


def within(address: str, networks: Iterable[str]) -> bool:
    """Whether the address lies in one of the networks (CIDR); what is no address lies in none."""
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False
    # How a socket that takes both families shows an IPv4 caller: ::ffff:192.0.2.1
    mapped = caller.ipv4_mapped if isinstance(caller, ipaddress.IPv6Address) else None
    return any((mapped or caller) in ipaddress.ip_network(network) for network in networks)
