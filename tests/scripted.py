"""A real HTTP server that answers by script, one answer a request, and keeps what it was sent."""

import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, cast


@dataclass(frozen=True)
class Sent:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Say:
    """An answer: status, headers, body."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/xml; charset=utf-8"),)


# "reset": the whole request is read, then the connection reset. "hang": no answer until the server ends.
Answer = Say | Literal["reset", "hang"]


def _opened() -> threading.Event:
    gate = threading.Event()
    gate.set()
    return gate


@dataclass
class Scripted:
    """The server's script and its memory. Without a scripted answer it gives the default one.

    While its gate is closed (cleared) it takes requests, and answers them once the gate opens.
    """

    default: Say
    script: deque[Answer] = field(default_factory=deque)
    received: list[Sent] = field(default_factory=list)
    url: str = ""
    gate: threading.Event = field(default_factory=_opened)
    ended: threading.Event = field(default_factory=threading.Event)

    def first(self, *answers: Answer) -> None:
        """The next requests are answered so, before what is scripted already."""
        self.script.extendleft(reversed(answers))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # Beyond the usual 5, a connection of many at once would come a second later, when its SYN is sent again.
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scripted = Scripted(Say(status=500))

    @contextmanager
    def playing(self, default: Say) -> Iterator[Scripted]:
        """Answers by a script of its own, and has forgotten those before it."""
        self.scripted = Scripted(default, url=f"http://127.0.0.1:{self.server_port}")
        try:
            yield self.scripted
        finally:
            self.scripted.ended.set()
            self.scripted.gate.set()

    def handle_error(self, *_: object) -> None:
        pass  # connections broken on purpose


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self._take(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def do_GET(self) -> None:
        self._take(b"")

    def _take(self, body: bytes) -> None:
        scripted = cast(Server, self.server).scripted
        scripted.received.append(Sent(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        answer = scripted.script.popleft() if scripted.script else scripted.default
        if isinstance(answer, Say):
            scripted.gate.wait(timeout=60)
            self._say(answer)
            return
        if answer == "hang":
            scripted.ended.wait(timeout=60)
        self._reset()

    def _say(self, answer: Say) -> None:
        self.send_response(answer.status)
        for name, value in (*answer.headers, ("Content-Length", str(len(answer.body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def _reset(self) -> None:
        # Lingering for zero seconds makes close() a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(default: Say) -> Iterator[Scripted]:
    with started() as server, server.playing(default) as scripted:
        yield scripted


@contextmanager
def started() -> Iterator[Server]:
    """A server for many scripts, one after the other."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
