"""The client for all outbound HTTP: time-outs, size limits and an address guard.

A `guarded_session` connects only to addresses that its guard allows: public ones, and those that the settings allow for
its purpose. It checks the address of the socket itself, so no redirect, changing DNS answer or unusual notation of an
address bypasses it.
"""

import asyncio
import ipaddress
import socket
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import aiohttp
from aiohttp import AddrInfoType
from django.conf import settings

from base import logs
from mms.runtime.http_responses import HEADERS_MAX, HeadersTooLarge, LimitedResponse, UnreadableCoding, decoded
from mms.runtime.http_urls import as_written

CONNECT_TIMEOUT = 10.0  # seconds
MAX_BODY_SIZE = 1_000_000  # bytes of a response body that are read
CHUNK_SIZE = 64 * 1024  # bytes handed to the connection at a time
# The global unicast space of IPv6; everything else (site-local, IPv4-translated, ...) is private to some network.
UNICAST = ipaddress.IPv6Network("2000::/3")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Reserved for protocols and documentation (RFC 6890, RFC 9637), unknown to some versions of Python. Some clouds serve
# the secrets of their machines there.
RESERVED = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("3fff::/20"))


@dataclass(frozen=True, slots=True)
class Request:
    """One POST; `timeout` in seconds covers the whole exchange."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    timeout: float
    auth: tuple[str, str] | None = None
    status_suffices: bool = False  # a response whose body breaks off counts as a reply


@dataclass(frozen=True, slots=True)
class Reply:
    """A response of any HTTP status."""

    status: int
    content_type: str
    body: bytes
    seconds: float
    problem: str = ""  # why the body could not be decoded


@dataclass(frozen=True, slots=True)
class NoReply:
    """No response. If `written`, the server may have received the whole request, and may have acted on it."""

    written: bool
    reason: str
    seconds: float


# Everything a request may raise; RuntimeError if no thread can be started for the name lookup.
FAILURES = (aiohttp.ClientError, OSError, ValueError, TimeoutError, RuntimeError)


class AddressBlocked(OSError):
    """The guard refused an address. An OSError, because aiohttp expects that from a failed socket."""


class Purpose(StrEnum):
    """What outbound requests are for, with the setting of the networks that they may reach besides public addresses."""

    MMSC = "MMSC_ALLOWED_NETWORKS"
    POSTBACK = "POSTBACK_ALLOWED_NETWORKS"
    DOWNLOAD = "DOWNLOAD_ALLOWED_NETWORKS"


def is_allowed(address: str, purpose: Purpose) -> bool:
    """Return whether requests of this purpose may go to this IP address."""
    return is_public(address) or any(
        _ip(address) in ipaddress.ip_network(network) for network in getattr(settings, purpose)
    )


def is_public(address: str) -> bool:
    """Return whether this IP address can be reached from everywhere."""
    ip = _ip(address)
    if ip.is_multicast or any(ip in network for network in RESERVED):
        return False
    return ip.is_global and (ip.version == 4 or ip in UNICAST)


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address, or the IPv4 address that is embedded in an IPv6 one (mapped, 6to4, NAT64)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


@dataclass(slots=True)
class Guard:
    """The addresses that requests of one purpose may reach."""

    purpose: Purpose
    private: bool = False  # whether an address was not public

    def open_socket(self, info: AddrInfoType) -> socket.socket:
        """Return a socket for the address. Raises AddressBlocked."""
        family, kind, protocol, _, address = info
        if not is_allowed(str(address[0]), self.purpose):
            raise AddressBlocked(f"address {address[0]} is not allowed")
        self.private |= not is_public(str(address[0]))
        return socket.socket(family, kind, protocol)


class _ResolverPool(ThreadPoolExecutor):
    """The threads for name lookups. A lookup that hangs is abandoned when its request ends."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=cancel_futures)  # asyncio.run() would wait


def guarded_session(limit: int, guard: Guard) -> aiohttp.ClientSession:
    """Return a session of at most `limit` concurrent connections, for an event loop that does nothing else."""
    # A thread for each connection, so that a hanging name server delays no other lookup.
    asyncio.get_running_loop().set_default_executor(_ResolverPool(limit, "resolving"))
    connector = aiohttp.TCPConnector(limit=limit, keepalive_timeout=4, socket_factory=guard.open_socket)
    connector._factory = partial(LimitedResponse, loop=asyncio.get_running_loop())  # type: ignore[assignment]
    # No proxies from the environment and no cookies: no data of one customer's server may reach another's.
    # No compression: a few compressed bytes can expand to gigabytes. LimitedResponse limits the headers in total.
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity", "User-Agent": settings.HTTP_USER_AGENT},
        auto_decompress=False,
        max_line_size=4 * HEADERS_MAX,
        max_field_size=4 * HEADERS_MAX,
        max_headers=4 * HEADERS_MAX,
    )


@dataclass(slots=True)
class _Body:
    """A request body that records whether all of it was handed to the connection.

    If the connection breaks before that, the server has not received a whole request: Content-Length is unmet.
    """

    data: bytes
    written: bool = False

    async def chunks(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.data), CHUNK_SIZE):
            if start + CHUNK_SIZE >= len(self.data):
                self.written = True
            yield self.data[start : start + CHUNK_SIZE]


async def send(session: aiohttp.ClientSession, request: Request) -> Reply | NoReply:
    """Post the request. Every failure is a NoReply, never an exception."""
    body = _Body(request.body)
    started = time.monotonic()
    try:
        async with session.post(
            as_written(request.url),
            data=body.chunks(),
            headers=_headers(request),
            timeout=aiohttp.ClientTimeout(total=request.timeout, connect=min(CONNECT_TIMEOUT, request.timeout)),
            allow_redirects=False,
        ) as response:
            content = await _read_body(response, request.status_suffices)
            content_type = response.headers.get("Content-Type", "")
            content, problem = _decoded(content, response)
            return Reply(response.status, content_type, content, time.monotonic() - started, problem)
    except HeadersTooLarge as excess:
        if excess.status is None or not request.status_suffices:
            return NoReply(body.written, str(excess), time.monotonic() - started)
        return Reply(excess.status, "", b"", time.monotonic() - started)
    except FAILURES as problem:
        return NoReply(body.written, _reason(problem), time.monotonic() - started)


def _headers(request: Request) -> dict[str, str]:
    headers = {**request.headers, "Content-Length": str(len(request.body))}
    if request.auth:
        headers["Authorization"] = aiohttp.encode_basic_auth(*request.auth)
    return headers


async def _read_body(response: aiohttp.ClientResponse, status_suffices: bool) -> bytes:
    """Return the body up to the size limit; if it breaks off and the status suffices, the part received."""
    body = bytearray()
    try:
        async for chunk in response.content.iter_chunked(CHUNK_SIZE):
            body += chunk
            if len(body) >= MAX_BODY_SIZE:
                break
    except FAILURES:
        if not status_suffices:
            raise
    return bytes(body[:MAX_BODY_SIZE])


def _decoded(body: bytes, response: aiohttp.ClientResponse) -> tuple[bytes, str]:
    """Return the body without its Content-Encoding or, as it arrived, with the reason why it has to stay so."""
    try:
        return decoded(body, response.headers.get("Content-Encoding", ""), MAX_BODY_SIZE)[:MAX_BODY_SIZE], ""
    except UnreadableCoding as problem:
        return body, str(problem)


def _reason(problem: BaseException) -> str:
    """Return a short reason that discloses nothing but the server's address."""
    if isinstance(problem, TimeoutError):
        return "no answer in time"
    if isinstance(problem, aiohttp.ClientConnectorError):
        problem = problem.os_error  # the text of ClientConnectorError omits the guard's reason
    return logs.mask_secrets(f"{type(problem).__name__}: {problem}")[:300]  # some quote the URL
