"""What operators have entered: carriers that can be reached and were tried, senders that lead somewhere."""

import socket
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit

from billing.models import SenderAddress
from mms.doctor.finding import Check, Finding, fail, ok, warn
from mms.models import Attempt, Carrier
from mms.runtime import http_client

PATIENCE: Final = 3.0  # seconds to connect to an MMSC
AT_ONCE: Final = 16


def carriers() -> Iterable[Finding]:
    enabled = list(Carrier.objects.filter(enabled=True).prefetch_related("prefixes").order_by("name"))
    if not enabled:
        yield warn("there is none", "Enter one in the admin, with its MMSC and its number prefixes.")
    with ThreadPoolExecutor(AT_ONCE) as threads:
        problems = threads.map(lambda carrier: _unreachable(carrier.mmsc_url), enabled)
        for carrier, problem in zip(enabled, problems, strict=True):
            found = [*_setup(carrier), *([problem] if problem else _tried(carrier))]
            yield from (Finding(f.level, f"{carrier}: {f.text}", f.remedy) for f in found)


def _setup(carrier: Carrier) -> Iterator[Finding]:
    if not carrier.prefixes.all():
        yield warn("no number belongs to it", "Give it number prefixes, unless customers name it by operator-id.")
    if not (carrier.inbound_password or carrier.inbound_networks):
        text = "anybody may send reports in its name"
        yield warn(text, "Give its MMSC a user and a password here, or name the addresses that it calls from.")


def _unreachable(url: str) -> Finding | None:
    """What stands between us and the MMSC; None where a connection comes about."""
    parts = urlsplit(url)
    if not parts.hostname:
        return fail("its MMSC has no address", "Enter the address that its operator gave you.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        addresses = [str(address[0]) for *_, address in found]
        reachable = [address for address in addresses if http_client.is_allowed(address)]
        if not reachable:
            remedy = f"If that is right, add {addresses[0]} to OUTBOUND_ALLOWED_NETWORKS."
            which = addresses[0] if addresses[0] == parts.hostname else f"{parts.hostname}, {addresses[0]},"
            return fail(f"{which} is not a public address", remedy)
        socket.create_connection((reachable[0], port), PATIENCE).close()
    except OSError as problem:
        text = f"no connection to {parts.hostname}, port {port}: {problem.strerror or problem}"
        return fail(text, "Check the address, the firewall and the VPN; then ask the carrier's operator.")
    return None


def _tried(carrier: Carrier) -> Iterator[Finding]:
    if Attempt.objects.filter(carrier=carrier).exclude(mmsc_id="").exists():
        yield ok("its MMSC answers, and has taken messages")
    else:
        yield warn("its MMSC answers, and has never taken a message", "Send one to a handset of yours as a test.")


def senders() -> Iterable[Finding]:
    operators = set(Carrier.objects.filter(enabled=True).values_list("operator_id", flat=True))
    addresses = list(SenderAddress.objects.select_related("account"))
    if not addresses:
        yield warn("there is none", "Give each account a sender address, or the platform one for each country.")
        return
    for sender in addresses:
        if sender.operators and not operators & set(sender.operators):
            text = f"{sender} of {sender.account or 'the platform'} is provisioned on no carrier that is enabled"
            yield warn(text, "Correct its operator ids, or enter the carrier.")
    yield ok(f"{len(addresses):,} entered")


CHECKS: Final[dict[str, Check]] = {"carriers": carriers, "senders": senders}
