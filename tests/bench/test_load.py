"""The load generator as a real process, with a real HTTP server."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

import pytest

from config.embedded.ports import free_port
from simulator.bench import BenchError
from simulator.bench.load import post_repeatedly, post_until_disconnected


class EchoHandler(BaseHTTPRequestHandler):
    """Echoes each body; a body of digits selects the HTTP status."""

    protocol_version = "HTTP/1.1"
    received: list[tuple[int, str]]
    lock: Lock

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            self.received.append((self.client_address[1], body.decode()))
        self.send_response(int(body) if body.isdigit() else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running_server() -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Run a server; yield its URL and the received requests, as pairs of client port and body."""
    received: list[tuple[int, str]] = []
    handler = type("RecordingHandler", (EchoHandler,), {"received": received, "lock": Lock()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/ep/v1/", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_every_request_is_counted_once() -> None:
    with running_server() as (url, received):
        load = post_repeatedly(url, ["<a/>", "<b>é</b>"], connections=4, seconds=1)

    assert sorted(load.answers) == sorted(body for _, body in received)
    assert len(load.latencies) == len(load.answers)
    assert load.rate == len(received) / load.seconds
    assert set(load.answers) == {"<a/>", "<b>é</b>"}


def test_connections_are_reused() -> None:
    with running_server() as (url, received):
        post_repeatedly(url, ["<a/>"], connections=4, seconds=1)

    assert len(received) > 4
    assert len({port for port, _ in received}) == 4


def test_response_other_than_200_raises_bench_error() -> None:
    with running_server() as (url, _), pytest.raises(BenchError, match="500"):
        post_repeatedly(url, ["500"], connections=2, seconds=1)


def test_failed_connection_ends_alone_until_all_are_disconnected() -> None:
    with running_server() as (url, received):
        load = post_until_disconnected(url, ["<a/>", "<b/>", "500"], connections=2, seconds=5)

    assert sorted(load.answers) == sorted(body for _, body in received if body != "500")
    assert [body for _, body in received].count("500") == 2
    assert load.seconds < 5


def test_refused_connection_raises_bench_error() -> None:
    with pytest.raises(BenchError, match="load generator"):
        post_repeatedly(f"http://127.0.0.1:{free_port()}/", ["<a/>"], connections=2, seconds=1)
