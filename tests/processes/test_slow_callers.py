"""The web process and callers who never finish what they say, or lie about how much it is."""

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
    """The port of a web process. Nothing here gets as far as a database."""
    platform = Platform(tmp_path_factory.mktemp("web"), broker)
    platform.web()
    yield platform.web_port
    platform.end()


def calling(port: int, *said: bytes, caller: str = HOST) -> socket.socket:
    connection = socket.create_connection((HOST, port), timeout=30, source_address=(caller, 0))
    for piece in said:
        connection.sendall(piece)
    return connection


def heard(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return answer


def ask(port: int, caller: str) -> tuple[int, bytes]:
    connection = HTTPConnection(HOST, port, timeout=30, source_address=(caller, 0))
    connection.request("POST", "/ep/v1/", b"<request/>")
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    return reply.status, body


def test_one_who_sends_a_byte_at_a_time_holds_up_himself_alone(web: int) -> None:
    more = SLOTS
    with ExitStack() as slow:
        heads = [slow.enter_context(calling(web, HEAD)) for _ in range(100)]
        bodies = [
            slow.enter_context(calling(web, HEAD, b"Connection: close\r\nContent-Length: 10\r\n\r\n<"))
            for _ in range(UNFINISHED_MAX + more)
        ]
        eventually(lambda: len(select.select(bodies, [], [], 0)[0]) == more)
        refused, _, _ = select.select(bodies, [], [], 0)
        assert all(heard(each).startswith(b"HTTP/1.1 503 ") for each in refused)
        assert ask(web, "127.0.0.2")[0] == 200
        waiting = [each for each in bodies if each not in refused]
        waiting[0].sendall(b"request/>")
        assert b"<error-info>action is missing</error-info>" in heard(waiting[0])
        heads[0].sendall(b"Connection: close\r\nContent-Length: 10\r\n\r\n<request/>")
        assert heard(heads[0]).startswith(b"HTTP/1.1 ")
    eventually(lambda: ask(web, HOST)[0] == 200)


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
def test_who_lies_about_the_length_is_answered_soon(web: int, said: list[bytes], expected: bytes) -> None:
    with calling(web, HEAD, b"Connection: close\r\n") as connection:
        answer = b""
        try:
            for piece in said:
                connection.sendall(piece)
            answer = heard(connection)
        except ConnectionError:  # it does not read what it will not take
            pass
        assert expected in answer or not answer
    assert ask(web, HOST)[0] == 200


def test_a_request_that_is_cut_short_is_not_worked_on(web: int) -> None:
    with calling(web, HEAD, b"Content-Length: 20\r\n\r\n<request/>") as connection:
        connection.shutdown(socket.SHUT_WR)
        answer = heard(connection)
    assert not answer or answer.startswith(b"HTTP/1.1 400 ")
