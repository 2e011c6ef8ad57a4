"""Checks of the carriers and sender addresses that operators have entered."""

import socket
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit

from django.utils import timezone

from base import logs
from billing.models import SenderAddress
from mms.doctor.finding import Check, Finding, fail, ok, warn
from mms.models import Attempt, Carrier
from mms.observation import refusals
from mms.observation.refusals import Refusal
from mms.runtime import http_client
from mms.runtime.http_client import Purpose

CONNECT_TIMEOUT: Final = 3.0  # seconds to connect to an MMSC
THREADS: Final = 16


def carriers() -> Iterable[Finding]:
    """Check the setup of each enabled carrier, and connect to its MMSC."""
    enabled = list(Carrier.objects.filter(enabled=True).prefetch_related("prefixes").order_by("name"))
    if not enabled:
        yield warn("no carrier is enabled", "Add one in the admin, with its MMSC and number prefixes.")
    with ThreadPoolExecutor(THREADS) as threads:
        problems = threads.map(lambda carrier: _unreachable(carrier.mmsc_url), enabled)
        for carrier, problem in zip(enabled, problems, strict=True):
            found = [*_setup(carrier), *([problem] if problem else _used(carrier))]
            yield from (Finding(f.level, f"{carrier}: {f.text}", f.remedy) for f in found)


def _setup(carrier: Carrier) -> Iterator[Finding]:
    if not carrier.prefixes.all():
        yield warn("it has no number prefixes", "Add prefixes, unless customers select it by operator-id.")
    if not (carrier.inbound_username or carrier.inbound_networks):
        text = "its MMSC has neither credentials nor networks, so its reports are refused"
        yield fail(text, "Set a user and a password for its MMSC, or the networks that its MMSC sends from.")


def _unreachable(url: str) -> Finding | None:
    """Return why the MMSC cannot be reached, or None if a connection succeeds."""
    parts = urlsplit(url)
    if not parts.hostname:
        return fail("its MMSC has no address", "Enter the URL that the carrier gave you.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        addresses = [str(address[0]) for *_, address in found]
        reachable = [address for address in addresses if http_client.is_allowed(address, Purpose.MMSC)]
        if not reachable:
            remedy = f"If that is intended, add {addresses[0]} to {Purpose.MMSC}."
            which = addresses[0] if addresses[0] == parts.hostname else f"{parts.hostname}, {addresses[0]},"
            return fail(f"{which} is not a public address", remedy)
        socket.create_connection((reachable[0], port), CONNECT_TIMEOUT).close()
    except OSError as problem:
        text = f"no connection to {parts.hostname}, port {port}: {problem.strerror or problem}"
        return fail(text, "Check the address, the firewall and the VPN; then ask the carrier.")
    return None


def _used(carrier: Carrier) -> Iterator[Finding]:
    """Tell what the MMSC made of the submits so far."""
    refused = refusals.latest(carrier, timezone.now(), logs.mask)
    ours = [refusal for refusal in refused if refusal.is_of_us]
    if ours:
        text = f"its MMSC refuses us: {_list(ours)}"
        yield fail(text, "Check the MMSC URL, user and password, VASPID and VASID; then ask the carrier.")
    if others := [refusal for refusal in refused if not refusal.is_of_us]:
        yield ok(f"its MMSC refused messages in the last day: {_list(others)}")
    if not ours:
        yield from _accepted(carrier)


def _list(refused: Iterable[Refusal]) -> str:
    return "; ".join(map(str, refused))


def _accepted(carrier: Carrier) -> Iterator[Finding]:
    if Attempt.objects.filter(carrier=carrier).exclude(mmsc_id="").exists():
        yield ok("its MMSC answers, and has accepted messages")
    else:
        yield warn("its MMSC answers, but has never accepted a message", "Send a test message to a handset of yours.")


def senders() -> Iterable[Finding]:
    """Check that each sender address has an enabled carrier."""
    operators = set(Carrier.objects.filter(enabled=True).values_list("operator_id", flat=True))
    addresses = list(SenderAddress.objects.select_related("account"))
    if not addresses:
        yield warn("there are no sender addresses", "Add one for each account, or one per country for all accounts.")
        return
    for sender in addresses:
        if sender.operators and not operators & set(sender.operators):
            text = f"{sender} of {sender.account or 'the platform'} is provisioned on no enabled carrier"
            yield warn(text, "Correct its operator ids, or add the carrier.")
    yield ok(f"{len(addresses):,} sender addresses")


CHECKS: Final[dict[str, Check]] = {"carriers": carriers, "senders": senders}
