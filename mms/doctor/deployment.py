"""What the settings say, and what they leave open."""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Final

from django.conf import settings

from mms.doctor.finding import Check, Finding, fail, ok, warn

KEY_MIN, TOKEN_MIN = 50, 20  # characters
LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
# Where the hosts of clouds tell whoever asks the secrets of the machine.
METADATA: Final = ipaddress.ip_address("169.254.169.254")


def debug() -> Iterable[Finding]:
    if settings.DEBUG:
        yield fail("DEBUG is on: whoever calls sees stack traces and settings", "Set DEBUG=false.")
    else:
        yield ok("DEBUG is off")


def secret_key() -> Iterable[Finding]:
    key = settings.SECRET_KEY
    if len(key) < KEY_MIN or len(set(key)) < 10:
        text = "SECRET_KEY can be guessed: it signs sessions and keys the hashes of API keys"
        yield fail(text, f"Set it to {KEY_MIN} random characters; API keys issued before must be issued anew.")
    else:
        yield ok(f"SECRET_KEY has {len(key)} characters")


def hosts() -> Iterable[Finding]:
    allowed = set(settings.ALLOWED_HOSTS)
    if "*" in allowed:
        yield warn("ALLOWED_HOSTS is *: any name is believed", "Name the hosts by which the platform is called.")
    elif allowed <= LOOPBACK_HOSTS:
        text = "the platform answers by no name but this machine's own"
        yield warn(text, "Name in ALLOWED_HOSTS the hosts by which customers and MMSCs call it.")
    else:
        yield ok(f"answers as {', '.join(sorted(allowed - LOOPBACK_HOSTS))}")


def cookies() -> Iterable[Finding]:
    if settings.SESSION_COOKIE_SECURE:
        yield ok("the console's cookies go over HTTPS alone")
    else:
        text = "the console's cookies go over plain HTTP, too"
        yield warn(text, "Put HTTPS in front, and set SECURE_COOKIES=true.")


def metrics() -> Iterable[Finding]:
    if not settings.METRICS_TOKEN:
        yield warn("there are no metrics", "Set METRICS_TOKEN, and have Prometheus scrape /metrics with it.")
    elif len(settings.METRICS_TOKEN) < TOKEN_MIN:
        yield warn("METRICS_TOKEN can be guessed", f"Make it {TOKEN_MIN} random characters or more.")
    else:
        yield ok("for whoever has METRICS_TOKEN")


def networks() -> Iterable[Finding]:
    found = [*_outbound(), *_proxies()]
    yield from found or [ok("outbound requests reach public addresses alone; no proxy is trusted")]


def _outbound() -> Iterator[Finding]:
    for given in settings.OUTBOUND_ALLOWED_NETWORKS:
        network = _network(given)
        if network is None:
            yield fail(f"OUTBOUND_ALLOWED_NETWORKS: {given} is no network", "Write it as CIDR, such as 10.8.0.0/24.")
        elif (network.version == 4 and METADATA in network) or network.is_loopback:
            text = f"customers can have requests sent to {given}: to this machine, or to its host's metadata"
            yield warn(text, "Take it out of OUTBOUND_ALLOWED_NETWORKS, or name the carrier's addresses alone.")
        else:
            yield ok(f"outbound requests may reach {given}")


def _proxies() -> Iterator[Finding]:
    for given in settings.TRUSTED_PROXIES:
        network = _network(given)
        if network is None:
            yield fail(f"TRUSTED_PROXIES: {given} is no network", "Write it as CIDR, such as 10.0.0.5/32.")
        elif network.prefixlen == 0:
            text = f"TRUSTED_PROXIES is {given}: every caller may say where he calls from"
            yield fail(text, "Name the addresses of your own proxies alone.")
        else:
            yield ok(f"proxies at {given} are believed about who calls")


def _network(given: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(given)
    except ValueError:
        return None


CHECKS: Final[dict[str, Check]] = {
    "debug": debug,
    "secret key": secret_key,
    "hosts": hosts,
    "cookies": cookies,
    "metrics": metrics,
    "networks": networks,
}
