"""The one client for outbound HTTP: time-outs, size caps and an address guard, many requests in flight.

`Flight` serves the workers: requests run on an event loop of their own while the caller works on the database.
Every `guarded_session` connects only to addresses that the guard lets through; it looks at the address of the socket
itself, so neither a redirect, nor a DNS answer that changes, nor a number written in an odd form gets past it.
"""

import asyncio
import ipaddress
import math
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

import aiohttp
from aiohttp import AddrInfoType
from cachetools import LRUCache
from django.conf import settings

CONNECT_TIMEOUT = 10.0  # seconds
ANSWER_MAX = 1_000_000  # bytes of an answer that are read
PIECE = 64 * 1024  # bytes handed to the connection at a time
SLOW = 0.25  # seconds after which an answer may be long in coming: nothing else waits for it any more
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


# Whatever a request may end with.
FAILURES = (aiohttp.ClientError, OSError, ValueError, TimeoutError)


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


Key = TypeVar("Key", bound=Hashable)


# Seconds that the last answer took, by the URL that was asked. Who was never asked may hang, and is not waited for.
_took: LRUCache[str, float] = LRUCache(maxsize=10_000)


@dataclass
class Flight(Generic[Key]):
    """Up to `limit` requests under way at once, each known by a key of the caller's.

    The event loop has a thread of its own, so that answers are heard, and time-outs just, while the caller prepares
    pictures or waits for the database. It begins with the first request: most looks at what is due find nothing.
    Nothing waits for answers that take longer than `slow` seconds.
    """

    limit: int
    slow: float = SLOW
    _thread: threading.Thread | None = field(init=False, default=None)
    _ready: SimpleQueue[tuple[asyncio.AbstractEventLoop, aiohttp.ClientSession, asyncio.Event]] = field(
        init=False, default_factory=SimpleQueue
    )
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _session: aiohttp.ClientSession = field(init=False)
    _over: asyncio.Event = field(init=False)
    # The URL of each that is under way, and when it was launched.
    _launched: dict[Key, tuple[str, float]] = field(init=False, default_factory=dict)
    # From thread to thread: what the loop is to send, and what has ended there. Each wakes the other as seldom as it
    # can: two threads that take turns at every request spend more time on that than on the requests.
    _leaving: deque[tuple[Key, Request]] = field(init=False, default_factory=deque)
    _ended: deque[tuple[Key, asyncio.Task[Reply | NoReply]]] = field(init=False, default_factory=deque)
    _wanted: int = field(init=False, default=1)
    _enough: threading.Event = field(init=False, default_factory=threading.Event)
    _tasks: set[asyncio.Task[Reply | NoReply]] = field(init=False, default_factory=set)  # the loop does not hold them

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread:
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join()

    def _begin(self) -> None:
        self._thread = threading.Thread(target=asyncio.run, args=[self._live()], name="flight")
        self._thread.start()
        self._loop, self._session, self._over = self._ready.get()

    async def _live(self) -> None:
        over = asyncio.Event()
        async with guarded_session(self.limit) as session:
            self._ready.put((asyncio.get_running_loop(), session, over))
            await over.wait()

    @property
    def room(self) -> int:
        return self.limit - len(self._launched)

    @property
    def keys(self) -> list[Key]:
        return list(self._launched)

    @property
    def late(self) -> list[Key]:
        """Those that are under way for long: of servers that may hang."""
        since = time.monotonic() - SLOW
        return [key for key, (_, begun) in self._launched.items() if begun <= since]

    @property
    def expected(self) -> int:
        """How many answers may come at any moment: of servers that were not slow the last time, and are not now."""
        since = time.monotonic() - self.slow
        return sum(begun > since and _took.get(url, math.inf) <= self.slow for url, begun in self._launched.values())

    def launch(self, key: Key, request: Request) -> None:
        if not self._thread:
            self._begin()
        self._launched[key] = request.url, time.monotonic()
        self._leaving.append((key, request))
        if len(self._leaving) == 1:  # with others before it, the loop is on its way to them
            self._loop.call_soon_threadsafe(self._send_off)

    def _send_off(self) -> None:
        while self._leaving:
            key, request = self._leaving.popleft()
            task = self._loop.create_task(send(self._session, request))
            self._tasks.add(task)
            task.add_done_callback(partial(self._end, key))

    def _end(self, key: Key, task: asyncio.Task[Reply | NoReply]) -> None:
        self._tasks.discard(task)
        self._ended.append((key, task))
        if len(self._ended) >= self._wanted:
            self._enough.set()

    def landed(self, wait: float, gather: float = 0.0) -> list[tuple[Key, Reply | NoReply]]:
        """Those that have ended, after at most `wait` seconds for the first and `gather` seconds for others with it.

        Others are waited for as long as they are `expected`; those that are here already are taken along.
        """
        if not self._launched:
            return []
        most = max(1, self.expected)
        self._wait_for(1, wait)
        if self._ended:
            self._wait_for(most, gather)
        return [self._taken(*self._ended.popleft()) for _ in range(len(self._ended))]

    def _wait_for(self, ended: int, seconds: float) -> None:
        self._wanted = ended
        self._enough.clear()
        if len(self._ended) < ended:
            self._enough.wait(seconds)

    def _taken(self, key: Key, task: asyncio.Task[Reply | NoReply]) -> tuple[Key, Reply | NoReply]:
        url, _ = self._launched.pop(key)
        result = task.result()
        _took[url] = result.seconds
        return key, result
