"""Many requests in flight: the workers' requests run on an event loop of their own while they work on the database."""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

import aiohttp
from cachetools import LRUCache

from mms.runtime.http_client import NoReply, Reply, Request, guarded_session, send

SLOW = 0.25  # seconds after which an answer may be long in coming: nothing else waits for it any more

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
    _ready: SimpleQueue[tuple[asyncio.AbstractEventLoop, aiohttp.ClientSession, asyncio.Event] | OSError] = field(
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
        thread = threading.Thread(target=self._run, name="flight")
        thread.start()
        ready = self._ready.get()
        if isinstance(ready, OSError):
            raise ready
        self._thread = thread
        self._loop, self._session, self._over = ready

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except OSError as problem:  # no files are left for a loop
            self._ready.put(problem)

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
