"""A real HTTP server with scripted answers, one for each request, that records the requests."""

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
    """A received request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Say:
    """An answer: status, headers, body."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/xml; charset=utf-8"),)


# "reset" resets the connection after the whole request is read. "hang" never answers.
Answer = Say | Literal["reset", "hang"]


def _opened() -> threading.Event:
    gate = threading.Event()
    gate.set()
    return gate


@dataclass
class Scripted:
    """The scripted answers and the received requests. After the last scripted answer, the default is given.

    While the gate is cleared, the server reads requests without answering them.
    """

    default: Say
    script: deque[Answer] = field(default_factory=deque)
    received: list[Sent] = field(default_factory=list)
    url: str = ""
    gate: threading.Event = field(default_factory=_opened)
    ended: threading.Event = field(default_factory=threading.Event)

    def first(self, *answers: Answer) -> None:
        """Answer the next requests so, before the answers scripted already."""
        self.script.extendleft(reversed(answers))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # With the default of 5, some of many simultaneous connections would wait a second for the retry of their SYN.
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scripted = Scripted(Say(status=500))

    @contextmanager
    def playing(self, default: Say) -> Iterator[Scripted]:
        """Answer by a new script, with an empty record of requests."""
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
        self._handle(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def do_GET(self) -> None:
        self._handle(b"")

    def _handle(self, body: bytes) -> None:
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
    """Run a server for several scripts in succession."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
