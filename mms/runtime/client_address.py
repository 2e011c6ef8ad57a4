"""The client address of a request, as reported by trusted reverse proxies (TRUSTED_PROXIES)."""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest


def of_request(request: HttpRequest) -> str:
    """Return the client address of the request."""
    return of_environ(request.META)


def of_environ(environ: Mapping[str, Any]) -> str:
    """Return the client address of a request by its WSGI environment.

    X-Forwarded-For is read from its end, where our proxies append, up to the first address that is not a trusted
    proxy: clients can forge everything before it.
    """
    forwarded = environ.get("HTTP_X_FORWARDED_FOR", "")
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    client = str(environ.get("REMOTE_ADDR", ""))
    while hops and in_networks(client, settings.TRUSTED_PROXIES):
        client = hops.pop()
    return client


def in_networks(address: str, networks: Iterable[str]) -> bool:
    """Return whether the address belongs to one of the networks (CIDR); False if it is not an address."""
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return False
    # A dual-stack socket shows an IPv4 client as ::ffff:192.0.2.1.
    mapped = client.ipv4_mapped if isinstance(client, ipaddress.IPv6Address) else None
    return any((mapped or client) in ipaddress.ip_network(network) for network in networks)
