"""Checks of the settings."""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Final

from django.conf import settings

from mms.doctor.finding import Check, Finding, fail, ok, warn
from mms.runtime.http_client import Purpose

KEY_MIN, TOKEN_MIN = 50, 20  # characters
LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
# The metadata service of clouds, which serves the secrets of a machine to every process on it.
METADATA: Final = ipaddress.ip_address("169.254.169.254")
# Whose servers the requests of each purpose go to.
SERVERS: Final = {
    Purpose.MMSC: "MMSCs",
    Purpose.POSTBACK: "customers' servers for postbacks",
    Purpose.DOWNLOAD: "customers' file servers",
}


def debug() -> Iterable[Finding]:
    """Check that DEBUG is off."""
    if settings.DEBUG:
        yield fail("DEBUG is on: clients see stack traces and settings", "Set DEBUG=false.")
    else:
        yield ok("DEBUG is off")


def secret_key() -> Iterable[Finding]:
    """Check the length and randomness of SECRET_KEY and its fallbacks."""
    key = settings.SECRET_KEY
    if _can_be_guessed(key):
        text = "SECRET_KEY can be guessed: it signs sessions"
        remedy = f"Set it to {KEY_MIN} random characters, and add the old one to API_KEY_SECRET_FALLBACKS."
        yield fail(text, remedy)
    elif any(map(_can_be_guessed, settings.SECRET_KEY_FALLBACKS)):
        text = "a secret in SECRET_KEY_FALLBACKS can be guessed: sessions signed by it are valid"
        yield fail(text, "Move it to API_KEY_SECRET_FALLBACKS, where a secret only keys hashes.")
    else:
        yield ok(f"SECRET_KEY has {len(key)} characters")


def api_key_secret() -> Iterable[Finding]:
    """Check that the hashes of API keys have a strong secret of their own."""
    secret = settings.API_KEY_SECRET
    if secret == settings.SECRET_KEY:
        text = "API keys are hashed under SECRET_KEY: changing it without a fallback locks every customer out"
        yield warn(text, f"Set API_KEY_SECRET to {KEY_MIN} random characters; API keys stay valid.")
    elif _can_be_guessed(secret):
        text = "API_KEY_SECRET can be guessed: it keys the hashes of API keys"
        remedy = f"Set it to {KEY_MIN} random characters, and add the old one to API_KEY_SECRET_FALLBACKS."
        yield fail(text, remedy)
    else:
        yield ok(f"API_KEY_SECRET has {len(secret)} characters")


def _can_be_guessed(secret: str) -> bool:
    return len(secret) < KEY_MIN or len(set(secret)) < 10


def hosts() -> Iterable[Finding]:
    """Check that ALLOWED_HOSTS lists public names."""
    allowed = set(settings.ALLOWED_HOSTS)
    if "*" in allowed:
        yield warn("ALLOWED_HOSTS is *: every Host header is accepted", "List the host names of the platform.")
    elif allowed <= LOOPBACK_HOSTS:
        text = "the platform accepts only host names of this machine"
        yield warn(text, "Add to ALLOWED_HOSTS the host names that customers and MMSCs use.")
    else:
        yield ok(f"accepted hosts: {', '.join(sorted(allowed - LOOPBACK_HOSTS))}")


def cookies() -> Iterable[Finding]:
    """Check that admin cookies are sent over HTTPS only."""
    if settings.SESSION_COOKIE_SECURE:
        yield ok("admin cookies are sent over HTTPS only")
    else:
        text = "admin cookies are also sent over plain HTTP"
        yield warn(text, "Serve the platform over HTTPS, and set SECURE_COOKIES=true.")


def metrics() -> Iterable[Finding]:
    """Check that METRICS_TOKEN is set and strong."""
    if not settings.METRICS_TOKEN:
        yield warn("/metrics is disabled", "Set METRICS_TOKEN, and configure Prometheus to scrape /metrics with it.")
    elif len(settings.METRICS_TOKEN) < TOKEN_MIN:
        yield warn("METRICS_TOKEN can be guessed", f"Make it {TOKEN_MIN} random characters or more.")
    else:
        yield ok("/metrics requires METRICS_TOKEN")


def networks() -> Iterable[Finding]:
    """Check the networks that are allowed or trusted."""
    found = [*_outbound(), *_proxies()]
    yield from found or [ok("outbound requests reach only public addresses; no proxy is trusted")]


def _outbound() -> Iterator[Finding]:
    for purpose, given in [(each, given) for each in Purpose for given in getattr(settings, each)]:
        network = _network(given)
        if network is None:
            yield fail(f"{purpose}: {given} is not a network", "Write it as CIDR, such as 10.8.0.0/24.")
        elif (network.version == 4 and METADATA in network) or network.is_loopback:
            text = f"{SERVERS[purpose]} may be at {given}: on this machine, or its cloud metadata"
            yield warn(text, f"Remove it from {purpose}, or list only the addresses of {SERVERS[purpose]}.")
        else:
            yield ok(f"{SERVERS[purpose]} may be at {given}")


def _proxies() -> Iterator[Finding]:
    for given in settings.TRUSTED_PROXIES:
        network = _network(given)
        if network is None:
            yield fail(f"TRUSTED_PROXIES: {given} is not a network", "Write it as CIDR, such as 10.0.0.5/32.")
        elif network.prefixlen == 0:
            text = f"TRUSTED_PROXIES is {given}: every client can forge its address"
            yield fail(text, "List only the addresses of your own proxies.")
        else:
            yield ok(f"proxies at {given} are trusted to report the client address")


def _network(given: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(given)
    except ValueError:
        return None


CHECKS: Final[dict[str, Check]] = {
    "debug": debug,
    "secret key": secret_key,
    "API keys": api_key_secret,
    "hosts": hosts,
    "cookies": cookies,
    "metrics": metrics,
    "networks": networks,
}
