"""The client address and scheme of a request, as reported by trusted reverse proxies (TRUSTED_PROXIES)."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest

FORWARDED: Final = "Forwarded"
# A parameter of Forwarded (RFC 7239, section 4), or the comma between two proxies.
_PARAMETER: Final = re.compile(r""",|([A-Za-z-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,;"]*)""")
_WITH_PORT: Final = re.compile(r"\[(.+)\](?::\w+)?|([^:]+):\w+")


def of_request(request: HttpRequest) -> str:
    """Return the client address of the request."""
    return of_environ(request.META)


def of_environ(environ: Mapping[str, Any]) -> str:
    """Return the client address of a request by its WSGI environment.

    The header of FORWARDED_HEADER is read from its end, where our proxies append, up to the first address that is not a
    trusted proxy: clients can forge everything before it, and the other header altogether.
    """
    client = str(environ.get("REMOTE_ADDR", ""))
    hops: list[str] | None = None
    while in_networks(client, settings.TRUSTED_PROXIES):
        hops = _hops(environ) if hops is None else hops
        if not hops:
            break
        client = hops.pop()
    return client


def is_secure(environ: Mapping[str, Any]) -> bool:
    """Return whether the trusted proxy that sent this request received it over TLS."""
    if settings.FORWARDED_HEADER == FORWARDED:
        said = ["", *(hop.get("proto", "") for hop in _forwarded(environ.get("HTTP_FORWARDED", "")))]
    else:
        said = environ.get("HTTP_X_FORWARDED_PROTO", "").split(",")
    return said[-1].strip().lower() == "https" and in_networks(environ.get("REMOTE_ADDR", ""), settings.TRUSTED_PROXIES)


def _hops(environ: Mapping[str, Any]) -> list[str]:
    """Return the addresses that the proxies report, without ports, the client's first."""
    if settings.FORWARDED_HEADER == FORWARDED:
        return [_without_port(hop.get("for", "unknown")) for hop in _forwarded(environ.get("HTTP_FORWARDED", ""))]
    given = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
    return [_without_port(hop.strip().strip('"')) for hop in given if hop.strip()]


def _forwarded(header: str) -> list[dict[str, str]]:
    """Return the parameters of each proxy in a Forwarded header, by their names in lower case."""
    hops: list[dict[str, str]] = [{}]
    for found in _PARAMETER.finditer(header):
        if found[0] == ",":
            hops.append({})
        else:
            hops[-1][found[1].lower()] = found[2].strip('"')
    return hops if header.strip() else []


def _without_port(address: str) -> str:
    """Return an address that may have a port, or brackets around IPv6, without them and in its usual notation."""
    with_port = _WITH_PORT.fullmatch(address)
    try:
        return str(ipaddress.ip_address((with_port[1] or with_port[2]) if with_port else address))
    except ValueError:
        return address


def in_networks(address: str, networks: Iterable[str]) -> bool:
    """Return whether the address belongs to one of the networks (CIDR); False if it is not an address."""
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return False
    # A dual-stack socket shows an IPv4 client as ::ffff:192.0.2.1.
    mapped = client.ipv4_mapped if isinstance(client, ipaddress.IPv6Address) else None
    return any((mapped or client) in ipaddress.ip_network(network) for network in networks)
