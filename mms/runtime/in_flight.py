"""Requests in flight: an event loop in its own thread exchanges them while the caller works on the database.

Used by the send loop, which launches requests and collects the replies in batches.
"""

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

from mms.runtime.http_client import Guard, NoReply, Purpose, Reply, Request, guarded_session, send

SLOW = 0.25  # seconds after which a reply counts as slow; nothing is delayed for it any more

Key = TypeVar("Key", bound=Hashable)

# Seconds that the last reply took, by URL. A server not listed may hang, so nothing waits for its first reply.
_durations: LRUCache[str, float] = LRUCache(maxsize=10_000)


@dataclass
class InFlight(Generic[Key]):
    """Up to `limit` concurrent requests, each under a key chosen by the caller.

    The event loop has its own thread, so it receives replies and keeps time-outs exact while the caller prepares
    pictures or waits for the database. The thread starts with the first request: most claims find nothing due.
    `completed` does not gather replies that take longer than `slow` seconds.
    """

    limit: int
    purpose: Purpose
    slow: float = SLOW
    _thread: threading.Thread | None = field(init=False, default=None)
    _ready: SimpleQueue[tuple[asyncio.AbstractEventLoop, aiohttp.ClientSession, asyncio.Event] | OSError] = field(
        init=False, default_factory=SimpleQueue
    )
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _session: aiohttp.ClientSession = field(init=False)
    _stop: asyncio.Event = field(init=False)
    # Key -> URL and time of launch.
    _launched: dict[Key, tuple[str, float]] = field(init=False, default_factory=dict)
    # Shared by the threads: requests to send, and completed ones. Each thread wakes the other as rarely as possible:
    # a thread switch for every request would cost more than the requests.
    _outgoing: deque[tuple[Key, Request]] = field(init=False, default_factory=deque)
    _completed: deque[tuple[Key, asyncio.Task[Reply | NoReply]]] = field(init=False, default_factory=deque)
    _wanted: int = field(init=False, default=1)
    _enough: threading.Event = field(init=False, default_factory=threading.Event)
    # The event loop keeps only weak references to its tasks.
    _tasks: set[asyncio.Task[Reply | NoReply]] = field(init=False, default_factory=set)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def start(self) -> None:
        """Start the thread, unless it runs. Raises OSError if there are no file descriptors left for an event loop."""
        if self._thread:
            return
        thread = threading.Thread(target=self._run, name="in-flight")
        thread.start()
        ready = self._ready.get()
        if isinstance(ready, OSError):
            raise ready
        self._thread = thread
        self._loop, self._session, self._stop = ready

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as problem:  # no file descriptors left for an event loop
            self._ready.put(problem)

    async def _serve(self) -> None:
        stop = asyncio.Event()
        async with guarded_session(self.limit, Guard(self.purpose)) as session:
            self._ready.put((asyncio.get_running_loop(), session, stop))
            await stop.wait()

    @property
    def room(self) -> int:
        """Number of requests that can be launched now."""
        return self.limit - len(self._launched)

    @property
    def keys(self) -> list[Key]:
        """Keys of the requests in flight, completed but uncollected ones included."""
        return list(self._launched)

    @property
    def slow_keys(self) -> list[Key]:
        """Keys of the requests without a reply for SLOW seconds: their servers may hang."""
        since = time.monotonic() - SLOW
        return [key for key, (_, launched_at) in self._launched.items() if launched_at <= since]

    @property
    def expected(self) -> int:
        """Number of replies that may arrive soon: servers that are slow, or were the last time, do not count."""
        since = time.monotonic() - self.slow
        launched = self._launched.values()
        return sum(at > since and _durations.get(url, math.inf) <= self.slow for url, at in launched)

    def launch(self, key: Key, request: Request) -> None:
        """Send the request. Raises OSError if no event loop can be started."""
        self.start()
        self._launched[key] = request.url, time.monotonic()
        self._outgoing.append((key, request))
        if len(self._outgoing) == 1:  # with others before it, the event loop is awake already
            self._loop.call_soon_threadsafe(self._send_outgoing)

    def _send_outgoing(self) -> None:
        while self._outgoing:
            key, request = self._outgoing.popleft()
            task = self._loop.create_task(send(self._session, request))
            self._tasks.add(task)
            task.add_done_callback(partial(self._complete, key))

    def _complete(self, key: Key, task: asyncio.Task[Reply | NoReply]) -> None:
        self._tasks.discard(task)
        self._completed.append((key, task))
        if len(self._completed) >= self._wanted:
            self._enough.set()

    def completed(self, wait: float, gather: float = 0.0) -> list[tuple[Key, Reply | NoReply]]:
        """Return the completed requests, after at most `wait` seconds for the first and `gather` more for the others.

        It waits for others only while some are `expected`; replies that have arrived are returned in any case.
        """
        if not self._launched:
            return []
        expected = max(1, self.expected)
        self._wait_for(1, wait)
        if self._completed:
            self._wait_for(expected, gather)
        return [self._collect(*self._completed.popleft()) for _ in range(len(self._completed))]

    def _wait_for(self, completed: int, seconds: float) -> None:
        self._wanted = completed
        self._enough.clear()
        if len(self._completed) < completed:
            self._enough.wait(seconds)

    def _collect(self, key: Key, task: asyncio.Task[Reply | NoReply]) -> tuple[Key, Reply | NoReply]:
        url, _ = self._launched.pop(key)
        result = task.result()
        _durations[url] = result.seconds
        return key, result
