"""The load generator, a real process, against a real HTTP server."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

import pytest

from config.embedded.ports import free_port
from simulator.bench import BenchError
from simulator.bench.load import drive, drive_until_broken


class Door(BaseHTTPRequestHandler):
    """Answers each body with itself; a body of digits with that HTTP status."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[int, str]]
    lock: Lock

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            self.seen.append((self.client_address[1], body.decode()))
        self.send_response(int(body) if body.isdigit() else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served() -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Its address, and what it has seen: the connection's port, and the body."""
    seen: list[tuple[int, str]] = []
    door = type("ThisDoor", (Door,), {"seen": seen, "lock": Lock()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), door)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/ep/v1/", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_every_request_is_answered_and_counted_once() -> None:
    with served() as (url, seen):
        load = drive(url, ["<a/>", "<b>é</b>"], connections=4, seconds=1)

    assert sorted(load.answers) == sorted(body for _, body in seen)
    assert len(load.latencies) == len(load.answers)
    assert load.rate == len(seen) / load.seconds
    assert set(load.answers) == {"<a/>", "<b>é</b>"}


def test_connections_stay_open() -> None:
    with served() as (url, seen):
        drive(url, ["<a/>"], connections=4, seconds=1)

    assert len(seen) > 4
    assert len({port for port, _ in seen}) == 4


def test_an_answer_that_is_not_200_ends_the_run() -> None:
    with served() as (url, _), pytest.raises(BenchError, match="500"):
        drive(url, ["500"], connections=2, seconds=1)


def test_a_connection_that_breaks_ends_alone_where_that_is_expected() -> None:
    with served() as (url, seen):
        load = drive_until_broken(url, ["<a/>", "<b/>", "500"], connections=2, seconds=5)

    assert sorted(load.answers) == sorted(body for _, body in seen if body != "500")
    assert [body for _, body in seen].count("500") == 2
    assert load.seconds < 5


def test_a_door_that_is_shut_ends_the_run() -> None:
    with pytest.raises(BenchError, match="load generator"):
        drive(f"http://127.0.0.1:{free_port()}/", ["<a/>"], connections=2, seconds=1)
