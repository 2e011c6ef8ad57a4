"""A real HTTP server with scripted answers, which records the received requests."""

import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, cast


@dataclass(frozen=True)
class ReceivedRequest:
    """An HTTP request as received."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic, compare=False)


@dataclass(frozen=True)
class Response:
    """An HTTP response."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/xml; charset=utf-8"),)


# "reset" resets the connection after reading the whole request; "hang" never responds.
Answer = Response | Literal["reset", "hang"]


def _set_event() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass
class ScriptedServer:
    """Scripted answers and received requests. After the last scripted answer, every request gets the default.

    While `answering` is cleared, the server reads requests without answering them.
    """

    default: Response
    script: deque[Answer] = field(default_factory=deque)
    received: list[ReceivedRequest] = field(default_factory=list)
    url: str = ""
    answering: threading.Event = field(default_factory=_set_event)
    ended: threading.Event = field(default_factory=threading.Event)

    def answer_next(self, *answers: Answer) -> None:
        """Insert answers before those already scripted."""
        self.script.extendleft(reversed(answers))


class HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    # With the default of 5, some of many simultaneous connections would wait a second for the retry of their SYN.
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scripted = ScriptedServer(Response(status=500))

    @contextmanager
    def new_script(self, default: Response) -> Iterator[ScriptedServer]:
        """Start a new script, with no received requests."""
        self.scripted = ScriptedServer(default, url=f"http://127.0.0.1:{self.server_port}")
        try:
            yield self.scripted
        finally:
            self.scripted.ended.set()
            self.scripted.answering.set()

    def handle_error(self, *_: object) -> None:
        pass  # connections broken on purpose


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self._handle(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def do_GET(self) -> None:
        self._handle(b"")

    def _handle(self, body: bytes) -> None:
        scripted = cast(HttpServer, self.server).scripted
        scripted.received.append(ReceivedRequest(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        answer = scripted.script.popleft() if scripted.script else scripted.default
        if isinstance(answer, Response):
            scripted.answering.wait(timeout=60)
            self._respond(answer)
            return
        if answer == "hang":
            scripted.ended.wait(timeout=60)
        self._reset()

    def _respond(self, answer: Response) -> None:
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
def serving(default: Response) -> Iterator[ScriptedServer]:
    with started() as server, server.new_script(default) as scripted:
        yield scripted


@contextmanager
def started() -> Iterator[HttpServer]:
    """Run a server for several scripts in succession."""
    server = HttpServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
