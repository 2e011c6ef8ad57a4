"""Requests in in_flight: each ends in a reply, or in a failure that says whether the whole request was sent."""

import socket
import threading
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from mms.runtime.http_client import MAX_BODY_SIZE, NoReply, Reply, Request
from mms.runtime.in_flight import SLOW, InFlight
from tests.api.sockets import Handler, read_headers, reset, respond_with, tcp_server, wait_for_close

LARGE = b"x" * 8_000_000  # more than any socket's buffers hold
SMALL = b"x" * 100
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def in_flight() -> Iterator[InFlight[str]]:
    with InFlight[str](limit=10) as in_flight:
        yield in_flight


def send(in_flight: InFlight[str], url: str, body: bytes = SMALL, timeout: float = 5.0) -> Reply | NoReply:
    in_flight.launch("one", Request(url, body, {"Content-Type": "text/plain"}, timeout, ("user", "pass:word")))
    [(key, result)] = in_flight.completed(wait=10)
    assert key == "one"
    return result


def read_request(connection: socket.socket) -> bytes:
    """Return one complete request; empty once the client has disconnected."""
    received = read_headers(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answering(answer: bytes) -> Handler:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    return serve


def test_request_is_sent_completely_and_its_reply_read(in_flight: InFlight[str]) -> None:
    received: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        received.append(read_request(connection))
        connection.sendall(OK)

    with tcp_server(serve) as server:
        reply = send(in_flight, f"{server.url}/mm7", LARGE)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.content_type, reply.body) == (200, "text/xml", b"ok")
    assert 0 <= reply.seconds < 5
    head, _, body = received[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /mm7 http/1.1"
    assert {"content-length: 8000000", "content-type: text/plain", "accept-encoding: identity"} <= set(lines)
    assert "authorization: basic dxnlcjpwyxnzondvcmq=" in lines
    assert "transfer-encoding" not in head.decode().lower()
    assert body == LARGE


@pytest.mark.parametrize("status", [100, 201, 302, 404, 500, 503])
def test_any_final_status_is_a_reply_and_redirects_are_ignored(in_flight: InFlight[str], status: int) -> None:
    answer = b"HTTP/1.1 %d X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n" % status
    final = answer if status != 100 else b"HTTP/1.1 100 Continue\r\n\r\n" + OK
    with tcp_server(answering(final)) as server:
        reply = send(in_flight, server.url)
        assert server.connections == 1
    assert isinstance(reply, Reply)
    assert reply.status == (status if status != 100 else 200)


def reset_midway(connection: socket.socket) -> None:
    read_headers(connection)
    reset(connection)


def reset_when_read(connection: socket.socket) -> None:
    read_request(connection)
    reset(connection)


@pytest.mark.parametrize(
    ("serve", "body", "written"),
    [
        (reset_midway, LARGE, False),
        (reset_when_read, LARGE, True),
        (reset_when_read, SMALL, True),
        (answering(b""), SMALL, True),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart"), SMALL, True),
        (answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), SMALL, True),
        (answering(b"220 smtp.example.com\r\n"), SMALL, True),
        (answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), SMALL, True),
    ],
    ids=["midway", "when read", "small, when read", "closed", "part", "broken chunk", "no HTTP", "long header"],
)
def test_broken_exchange_reports_whether_the_request_was_sent(
    in_flight: InFlight[str], serve: Handler, body: bytes, written: bool
) -> None:
    with tcp_server(serve) as server:
        result = send(in_flight, server.url, body)
    assert isinstance(result, NoReply)
    assert result.written is written
    assert result.reason


def test_reply_to_a_partial_request_is_a_reply(in_flight: InFlight[str]) -> None:
    def serve(connection: socket.socket) -> None:
        read_headers(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        wait_for_close(connection)

    with tcp_server(serve) as server:
        reply = send(in_flight, server.url, LARGE)
    assert isinstance(reply, Reply)
    assert reply.status == 413


@pytest.mark.parametrize(
    ("body", "written"), [(SMALL, True), (LARGE, False)], ids=["after the request", "within the request"]
)
def test_silent_server_ends_at_the_time_limit(in_flight: InFlight[str], body: bytes, written: bool) -> None:
    finished = threading.Event()

    def silent(connection: socket.socket) -> None:
        read_headers(connection)
        finished.wait(timeout=30)

    with tcp_server(silent) as server:
        result = send(in_flight, server.url, body, timeout=0.3)
        finished.set()
    assert isinstance(result, NoReply)
    assert (result.written, result.reason) == (written, "no answer in time")
    assert 0.3 <= result.seconds < 5


def test_reply_received_while_the_caller_was_busy_counts(in_flight: InFlight[str]) -> None:
    answered = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK)
        answered.set()
        wait_for_close(connection)

    with tcp_server(serve) as server:
        in_flight.launch("one", Request(server.url, SMALL, {}, timeout=0.5))
        assert answered.wait(timeout=10)
        assert not threading.Event().wait(timeout=0.6)  # the caller is busy past the timeout
        [(_, result)] = in_flight.completed(wait=0)
    assert isinstance(result, Reply)


@pytest.mark.parametrize(
    "url",
    [
        "http://nowhere.invalid/",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "ftp://127.0.0.1/",
        "nowhere",
        "",
        "http://" + "a" * 64 + ".example.com/",
        "http://ü\udcff/",
    ],
)
def test_unsendable_request_was_not_written(in_flight: InFlight[str], url: str) -> None:
    result = send(in_flight, url)
    assert isinstance(result, NoReply)
    assert not result.written


def test_refused_connection_has_nothing_written(in_flight: InFlight[str]) -> None:
    with tcp_server(respond_with()) as server:
        pass
    result = send(in_flight, server.url)
    assert isinstance(result, NoReply)
    assert not result.written


def test_https_to_a_plain_server_has_nothing_written(in_flight: InFlight[str]) -> None:
    with tcp_server(lambda connection: connection.sendall(OK)) as server:
        result = send(in_flight, server.url.replace("http:", "https:"))
    assert isinstance(result, NoReply)
    assert not result.written


def test_private_address_is_not_connected_to(in_flight: InFlight[str], settings: Settings) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = []
    with tcp_server(answering(OK)) as server:
        result = send(in_flight, server.url)
        assert server.connections == 0
    assert isinstance(result, NoReply)
    assert (result.written, result.reason) == (False, "AddressBlocked: address 127.0.0.1 is not allowed")


@pytest.mark.parametrize("header", ["Content-Type: a\r\nX: b", "é"])
def test_invalid_header_raises_no_exception(in_flight: InFlight[str], header: str) -> None:
    with tcp_server(answering(OK)) as server:
        in_flight.launch("one", Request(server.url, SMALL, {"X-Reference": header}, 5.0))
        [(_, result)] = in_flight.completed(wait=10)
    assert isinstance(result, Reply) or not result.written


def test_long_reply_is_cut_at_the_size_limit(in_flight: InFlight[str]) -> None:
    sent_bytes = 0

    def serve(connection: socket.socket) -> None:
        nonlocal sent_bytes
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent_bytes < 500_000_000:
            connection.sendall(LARGE)
            sent_bytes += len(LARGE)

    with tcp_server(serve) as server:
        reply = send(in_flight, server.url)
    assert isinstance(reply, Reply)
    assert (len(reply.body), set(reply.body)) == (MAX_BODY_SIZE, {ord("x")})
    assert sent_bytes < 100_000_000


def keep_alive(answers: int, ended: threading.Event) -> Handler:
    """Return a handler that answers this many requests on a connection, then closes it unannounced."""

    def serve(connection: socket.socket) -> None:
        for _ in range(answers):
            if not read_request(connection).strip():
                return
            connection.sendall(OK)
        connection.close()
        ended.set()

    return serve


def test_connection_is_reused_for_the_next_request(in_flight: InFlight[str]) -> None:
    with tcp_server(keep_alive(3, threading.Event())) as server:
        assert all(isinstance(send(in_flight, server.url), Reply) for _ in range(3))
        assert server.connections == 1


def test_closed_idle_connection_is_replaced(in_flight: InFlight[str]) -> None:
    ended = threading.Event()
    with tcp_server(keep_alive(1, ended)) as server:
        for round_number in range(1, 6):
            assert isinstance(send(in_flight, server.url), Reply)
            assert ended.wait(timeout=10)
            ended.clear()
            assert server.connections == round_number


def test_replies_are_returned_as_they_arrive(in_flight: InFlight[str]) -> None:
    release = threading.Event()

    def slow(connection: socket.socket) -> None:
        read_request(connection)
        release.wait(timeout=30)
        connection.sendall(OK)

    with tcp_server(slow) as slow_server, tcp_server(answering(OK)) as quick_server:
        in_flight.launch("slow", Request(slow_server.url, SMALL, {}, 20.0))
        in_flight.launch("quick", Request(quick_server.url, SMALL, {}, 20.0))
        assert (in_flight.room, sorted(in_flight.keys)) == (8, ["quick", "slow"])
        assert [key for key, _ in in_flight.completed(wait=10)] == ["quick"]
        assert in_flight.completed(wait=0) == []
        release.set()
        [(key, result)] = in_flight.completed(wait=10)
        assert (key, isinstance(result, Reply), in_flight.room) == ("slow", True, 10)
    assert in_flight.completed(wait=10) == []


def test_exit_abandons_in_flight_requests() -> None:
    finished = threading.Event()

    def silent(connection: socket.socket) -> None:
        read_request(connection)
        finished.wait(timeout=30)

    with tcp_server(silent) as server:
        with InFlight[str](limit=1) as in_flight:
            in_flight.launch("one", Request(server.url, SMALL, {}, 20.0))
            assert in_flight.completed(wait=0.1) == []
        finished.set()


def test_slow_servers_do_not_delay_other_replies(in_flight: InFlight[str]) -> None:
    answer = threading.Event()

    def hang(connection: socket.socket) -> None:
        read_request(connection)
        answer.wait(timeout=10)
        connection.sendall(OK)

    def launch(*servers: str, timeout: float = 20.0) -> None:
        for key in servers:
            in_flight.launch(key, Request(urls[key], SMALL, {}, timeout))

    with tcp_server(hang) as hanging, tcp_server(answering(OK)) as prompt:
        urls = {"hanging": hanging.url, "prompt": prompt.url}
        launch("prompt")
        assert in_flight.expected == 0  # the server has no history yet
        assert [key for key, _ in in_flight.completed(wait=10)] == ["prompt"]
        launch("hanging", timeout=SLOW + 0.05)
        launch("prompt")
        assert in_flight.expected == 1
        assert [key for key, _ in in_flight.completed(wait=10, gather=10)] == ["prompt"]
        [(_, silence)] = in_flight.completed(wait=10)
        assert isinstance(silence, NoReply)
        launch("hanging", "prompt")
        assert in_flight.expected == 1
        assert [key for key, _ in in_flight.completed(wait=10, gather=10)] == ["prompt"]
        answer.set()
        assert [key for key, _ in in_flight.completed(wait=10)] == ["hanging"]
