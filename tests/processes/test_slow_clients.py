"""The web process and clients that never finish their requests, or state a wrong length."""

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest

from base.request_slots import SLOTS
from config.embedded.ports import HOST
from config.wsgi import UNFINISHED_MAX
from tests.processes.platform_under_test import Broker, Platform, eventually

HEAD = b"POST /ep/v1/ HTTP/1.1\r\nHost: localhost\r\n"
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def web(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a web process. No request of these tests reaches the database."""
    platform = Platform(tmp_path_factory.mktemp("web"), broker)
    platform.web()
    yield platform.web_port
    platform.stop()


def connect(port: int, *chunks: bytes, address: str = HOST) -> socket.socket:
    connection = socket.create_connection((HOST, port), timeout=30, source_address=(address, 0))
    for chunk in chunks:
        connection.sendall(chunk)
    return connection


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer


def post(port: int, address: str) -> tuple[int, bytes]:
    connection = HTTPConnection(HOST, port, timeout=30, source_address=(address, 0))
    connection.request("POST", "/ep/v1/", b"<request/>")
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    return reply.status, body


def test_slow_client_delays_only_itself(web: int) -> None:
    more = SLOTS
    with ExitStack() as slow:
        heads = [slow.enter_context(connect(web, HEAD)) for _ in range(100)]
        bodies = [
            slow.enter_context(connect(web, HEAD, b"Connection: close\r\nContent-Length: 10\r\n\r\n<"))
            for _ in range(UNFINISHED_MAX + more)
        ]
        eventually(lambda: len(select.select(bodies, [], [], 0)[0]) == more)
        refused, _, _ = select.select(bodies, [], [], 0)
        assert all(read_all(each).startswith(b"HTTP/1.1 503 ") for each in refused)
        assert post(web, "127.0.0.2")[0] == 200
        waiting = [each for each in bodies if each not in refused]
        waiting[0].sendall(b"request/>")
        assert b"<error-info>action is missing</error-info>" in read_all(waiting[0])
        heads[0].sendall(b"Connection: close\r\nContent-Length: 10\r\n\r\n<request/>")
        assert read_all(heads[0]).startswith(b"HTTP/1.1 ")
    eventually(lambda: post(web, HOST)[0] == 200)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([b"Transfer-Encoding: chunked\r\n\r\n", b"f4240\r\n%b\r\n" % (b" " * MEGABYTE) * 3], b"The request is larger"),
        ([b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"], b"The request body is empty"),
        ([b"Content-Length: 9999999999\r\n\r\n", b" " * 3 * MEGABYTE], b"The request is larger"),
        ([b"Content-Length: -1\r\n\r\n<request/>"], b"HTTP/1.1 400 "),
        ([b"Content-Length: 10\r\nContent-Length: 11\r\n\r\n<request/>"], b"HTTP/1.1 400 "),
        ([b"Content-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"], b"HTTP/1.1 "),
        ([b"X: " + b"x" * MEGABYTE + b"\r\n\r\n"], b"HTTP/1.1 4"),
    ],
    ids=[
        "chunks without end",
        "no chunks",
        "endless",
        "less than nothing",
        "two lengths",
        "length and chunks",
        "header",
    ],
)
def test_wrong_length_is_answered_soon(web: int, said: list[bytes], expected: bytes) -> None:
    with connect(web, HEAD, b"Connection: close\r\n") as connection:
        answer = b""
        try:
            for piece in said:
                connection.sendall(piece)
            answer = read_all(connection)
        except ConnectionError:  # it does not read what it will not take
            pass
        assert expected in answer or not answer
    assert post(web, HOST)[0] == 200


def test_truncated_request_is_refused(web: int) -> None:
    with connect(web, HEAD, b"Content-Length: 20\r\n\r\n<request/>") as connection:
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
    assert not answer or answer.startswith(b"HTTP/1.1 400 ")
