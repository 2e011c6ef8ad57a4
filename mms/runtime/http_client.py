"""The one client for outbound HTTP: time-outs, size caps and an address guard.

Every `guarded_session` connects only to addresses that the guard lets through; it looks at the address of the socket
itself, so neither a redirect, nor a DNS answer that changes, nor a number written in an odd form gets past it.
"""

import asyncio
import ipaddress
import socket
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import aiohttp
from aiohttp import AddrInfoType
from django.conf import settings

CONNECT_TIMEOUT = 10.0  # seconds
ANSWER_MAX = 1_000_000  # bytes of an answer that are read
PIECE = 64 * 1024  # bytes handed to the connection at a time
# All of IPv6 that is given out to anybody; what lies outside (site-local, IPv4-translated, ...) is some network's own.
UNICAST = ipaddress.IPv6Network("2000::/3")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Kept for protocols and for documents (RFC 6890, RFC 9637), which not every version of Python knows; some clouds tell
# their machines' secrets there.
KEPT = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("3fff::/20"))


@dataclass(frozen=True, slots=True)
class Request:
    """One POST; `timeout` in seconds covers the whole exchange."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    timeout: float
    auth: tuple[str, str] | None = None
    status_suffices: bool = False  # an answer whose body breaks off is one


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of any HTTP status."""

    status: int
    content_type: str
    body: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class NoReply:
    """No answer. `written` tells whether the other side can have the whole request: then it may have acted on it."""

    written: bool
    reason: str
    seconds: float


# Whatever a request may end with; RuntimeError where there is no thread to look its name up.
FAILURES = (aiohttp.ClientError, OSError, ValueError, TimeoutError, RuntimeError)


class AddressBlocked(OSError):
    """The guard's refusal. An OSError, because that is what the connection code expects of a failed socket."""


def allowed(address: str) -> bool:
    """Whether outbound requests may go to this IP address: public ones, and those that the settings name."""
    ip = _embedded_ipv4(ipaddress.ip_address(address.partition("%")[0]))
    if any(ip in ipaddress.ip_network(network) for network in settings.OUTBOUND_ALLOWED_NETWORKS):
        return True
    if ip.is_multicast or any(ip in network for network in KEPT):
        return False
    return ip.is_global and (ip.version == 4 or ip in UNICAST)


def _embedded_ipv4(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64), else the address itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def _guarded_socket(info: AddrInfoType) -> socket.socket:
    family, kind, protocol, _, address = info
    if not allowed(str(address[0])):
        raise AddressBlocked(f"address {address[0]} is not allowed")
    return socket.socket(family, kind, protocol)


class _Resolving(ThreadPoolExecutor):
    """Where host names are looked up. One whose name server hangs is left to itself when its request is over."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=cancel_futures)  # asyncio.run() would wait


def guarded_session(limit: int) -> aiohttp.ClientSession:
    """A session of at most `limit` connections at once, for a loop that does nothing else."""
    # A thread for each that may need one: a name server that hangs holds up nobody else.
    asyncio.get_running_loop().set_default_executor(_Resolving(limit, "resolving"))
    connector = aiohttp.TCPConnector(limit=limit, keepalive_timeout=4, socket_factory=_guarded_socket)
    # No environment proxies, no cookies: nothing that one customer's server says may reach another's.
    # No compression: a few bytes of it can stand for gigabytes.
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    )


@dataclass(slots=True)
class _Body:
    """A request body that knows whether all of it was handed to the connection.

    A connection that broke before that cannot have delivered a whole request: Content-Length is unmet.
    """

    data: bytes
    written: bool = False

    async def pieces(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.data), PIECE):
            if start + PIECE >= len(self.data):
                self.written = True
            yield self.data[start : start + PIECE]


async def send(session: aiohttp.ClientSession, request: Request) -> Reply | NoReply:
    """Posts the request. Every failure is a NoReply, never an exception."""
    body = _Body(request.body)
    started = time.monotonic()
    try:
        async with session.post(
            request.url,
            data=body.pieces(),
            headers=_headers(request),
            timeout=aiohttp.ClientTimeout(total=request.timeout, connect=min(CONNECT_TIMEOUT, request.timeout)),
            allow_redirects=False,
        ) as response:
            answer = await _answer(response, request.status_suffices)
            content_type = response.headers.get("Content-Type", "")
            return Reply(response.status, content_type, answer, time.monotonic() - started)
    except FAILURES as problem:
        return NoReply(body.written, _words(problem), time.monotonic() - started)


def _headers(request: Request) -> dict[str, str]:
    headers = {**request.headers, "Content-Length": str(len(request.body))}
    if request.auth:
        headers["Authorization"] = aiohttp.encode_basic_auth(*request.auth)
    return headers


async def _answer(response: aiohttp.ClientResponse, status_suffices: bool) -> bytes:
    """Its body up to the cap; where that breaks off and its status suffices, what came of it."""
    answer = bytearray()
    try:
        async for piece in response.content.iter_chunked(PIECE):
            answer += piece
            if len(answer) >= ANSWER_MAX:
                break
    except FAILURES:
        if not status_suffices:
            raise
    return bytes(answer[:ANSWER_MAX])


def _words(problem: BaseException) -> str:
    """The failure in a few words that give away no more than the other side's address."""
    if isinstance(problem, TimeoutError):
        return "no answer in time"
    if isinstance(problem, aiohttp.ClientConnectorError):
        problem = problem.os_error  # its own text leaves out the guard's
    return f"{type(problem).__name__}: {problem}"[:300]
