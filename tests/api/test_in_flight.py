"""Requests in flight: each ends in a reply, or in an honest word on whether the other side can have all of it."""

import socket
import threading
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from mms.runtime.http_client import MAX_BODY_SIZE, NoReply, Reply, Request
from mms.runtime.in_flight import SLOW, InFlight
from tests.api.sockets import Serve, listening, read_headers, reset, saying, wait_for_the_client_to_leave

LARGE = b"x" * 8_000_000  # more than any socket's buffers hold
SMALL = b"x" * 100
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def flight() -> Iterator[InFlight[str]]:
    with InFlight[str](limit=10) as flight:
        yield flight


def sent(flight: InFlight[str], url: str, body: bytes = SMALL, timeout: float = 5.0) -> Reply | NoReply:
    flight.launch("one", Request(url, body, {"Content-Type": "text/plain"}, timeout, ("user", "pass:word")))
    [(key, result)] = flight.completed(wait=10)
    assert key == "one"
    return result


def read_request(connection: socket.socket) -> bytes:
    """One whole request; "" once the client has left."""
    received = read_headers(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answering(answer: bytes) -> Serve:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    return serve


def test_a_request_is_written_whole_and_its_reply_read(flight: InFlight[str]) -> None:
    came: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        came.append(read_request(connection))
        connection.sendall(OK)

    with listening(serve) as server:
        reply = sent(flight, f"{server.url}/mm7", LARGE)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.content_type, reply.body) == (200, "text/xml", b"ok")
    assert 0 <= reply.seconds < 5
    head, _, body = came[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /mm7 http/1.1"
    assert {"content-length: 8000000", "content-type: text/plain", "accept-encoding: identity"} <= set(lines)
    assert "authorization: basic dxnlcjpwyxnzondvcmq=" in lines
    assert "transfer-encoding" not in head.decode().lower()
    assert body == LARGE


@pytest.mark.parametrize("status", [100, 201, 302, 404, 500, 503])
def test_any_final_status_is_a_reply_and_no_redirect_is_followed(flight: InFlight[str], status: int) -> None:
    answer = b"HTTP/1.1 %d X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n" % status
    final = answer if status != 100 else b"HTTP/1.1 100 Continue\r\n\r\n" + OK
    with listening(answering(final)) as server:
        reply = sent(flight, server.url)
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
def test_a_broken_exchange_tells_whether_all_was_written(
    flight: InFlight[str], serve: Serve, body: bytes, written: bool
) -> None:
    with listening(serve) as server:
        result = sent(flight, server.url, body)
    assert isinstance(result, NoReply)
    assert result.written is written
    assert result.reason


def test_a_reply_to_half_a_request_is_a_reply(flight: InFlight[str]) -> None:
    def serve(connection: socket.socket) -> None:
        read_headers(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        wait_for_the_client_to_leave(connection)

    with listening(serve) as server:
        reply = sent(flight, server.url, LARGE)
    assert isinstance(reply, Reply)
    assert reply.status == 413


@pytest.mark.parametrize(
    ("body", "written"), [(SMALL, True), (LARGE, False)], ids=["after the request", "within the request"]
)
def test_silence_ends_at_the_time_limit(flight: InFlight[str], body: bytes, written: bool) -> None:
    over = threading.Event()

    def silent(connection: socket.socket) -> None:
        read_headers(connection)
        over.wait(timeout=30)

    with listening(silent) as server:
        result = sent(flight, server.url, body, timeout=0.3)
        over.set()
    assert isinstance(result, NoReply)
    assert (result.written, result.reason) == (written, "no answer in time")
    assert 0.3 <= result.seconds < 5


def test_an_answer_that_came_while_the_caller_was_busy_is_no_silence(flight: InFlight[str]) -> None:
    answered = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK)
        answered.set()
        wait_for_the_client_to_leave(connection)

    with listening(serve) as server:
        flight.launch("one", Request(server.url, SMALL, {}, timeout=0.5))
        assert answered.wait(timeout=10)
        assert not threading.Event().wait(timeout=0.6)  # the caller is busy for longer than the time-out
        [(_, result)] = flight.completed(wait=0)
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
def test_a_request_that_cannot_leave_was_not_written(flight: InFlight[str], url: str) -> None:
    result = sent(flight, url)
    assert isinstance(result, NoReply)
    assert not result.written


def test_a_refused_connection_has_nothing_written(flight: InFlight[str]) -> None:
    with listening(saying()) as server:
        pass
    result = sent(flight, server.url)
    assert isinstance(result, NoReply)
    assert not result.written


def test_https_is_not_spoken_with_a_server_that_cannot(flight: InFlight[str]) -> None:
    with listening(lambda connection: connection.sendall(OK)) as server:
        result = sent(flight, server.url.replace("http:", "https:"))
    assert isinstance(result, NoReply)
    assert not result.written


def test_the_guard_holds_for_carriers_and_customers_too(flight: InFlight[str], settings: Settings) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = []
    with listening(answering(OK)) as server:
        result = sent(flight, server.url)
        assert server.connections == 0
    assert isinstance(result, NoReply)
    assert (result.written, result.reason) == (False, "AddressBlocked: address 127.0.0.1 is not allowed")


@pytest.mark.parametrize("header", ["Content-Type: a\r\nX: b", "é"])
def test_a_header_that_cannot_be_sent_is_no_exception(flight: InFlight[str], header: str) -> None:
    with listening(answering(OK)) as server:
        flight.launch("one", Request(server.url, SMALL, {"X-Reference": header}, 5.0))
        [(_, result)] = flight.completed(wait=10)
    assert isinstance(result, Reply) or not result.written


def test_a_long_answer_is_cut_at_the_cap(flight: InFlight[str]) -> None:
    said = 0

    def serve(connection: socket.socket) -> None:
        nonlocal said
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while said < 500_000_000:
            connection.sendall(LARGE)
            said += len(LARGE)

    with listening(serve) as server:
        reply = sent(flight, server.url)
    assert isinstance(reply, Reply)
    assert (len(reply.body), set(reply.body)) == (MAX_BODY_SIZE, {ord("x")})
    assert said < 100_000_000


def keeping(answers: int, ended: threading.Event) -> Serve:
    """Answers so many requests on a connection, then closes it without having announced that."""

    def serve(connection: socket.socket) -> None:
        for _ in range(answers):
            if not read_request(connection).strip():
                return
            connection.sendall(OK)
        connection.close()
        ended.set()

    return serve


def test_a_connection_is_kept_for_the_next_request(flight: InFlight[str]) -> None:
    with listening(keeping(3, threading.Event())) as server:
        assert all(isinstance(sent(flight, server.url), Reply) for _ in range(3))
        assert server.connections == 1


def test_a_kept_connection_that_the_server_closed_meanwhile_is_noticed(flight: InFlight[str]) -> None:
    ended = threading.Event()
    with listening(keeping(1, ended)) as server:
        for round_number in range(1, 6):
            assert isinstance(sent(flight, server.url), Reply)
            assert ended.wait(timeout=10)
            ended.clear()
            assert server.connections == round_number


def test_answers_land_as_they_come(flight: InFlight[str]) -> None:
    let_go = threading.Event()

    def slow(connection: socket.socket) -> None:
        read_request(connection)
        let_go.wait(timeout=30)
        connection.sendall(OK)

    with listening(slow) as slow_one, listening(answering(OK)) as quick_one:
        flight.launch("slow", Request(slow_one.url, SMALL, {}, 20.0))
        flight.launch("quick", Request(quick_one.url, SMALL, {}, 20.0))
        assert (flight.room, sorted(flight.keys)) == (8, ["quick", "slow"])
        assert [key for key, _ in flight.completed(wait=10)] == ["quick"]
        assert flight.completed(wait=0) == []
        let_go.set()
        [(key, result)] = flight.completed(wait=10)
        assert (key, isinstance(result, Reply), flight.room) == ("slow", True, 10)
    assert flight.completed(wait=10) == []


def test_what_is_still_in_the_air_is_let_go_of_at_the_end() -> None:
    over = threading.Event()

    def silent(connection: socket.socket) -> None:
        read_request(connection)
        over.wait(timeout=30)

    with listening(silent) as server:
        with InFlight[str](limit=1) as flight:
            flight.launch("one", Request(server.url, SMALL, {}, 20.0))
            assert flight.completed(wait=0.1) == []
        over.set()


def test_nothing_waits_for_a_server_that_is_or_was_slow(flight: InFlight[str]) -> None:
    answer = threading.Event()

    def hang(connection: socket.socket) -> None:
        read_request(connection)
        answer.wait(timeout=10)
        connection.sendall(OK)

    def launch(*servers: str, timeout: float = 20.0) -> None:
        for key in servers:
            flight.launch(key, Request(urls[key], SMALL, {}, timeout))

    with listening(hang) as hanging, listening(answering(OK)) as prompt:
        urls = {"hanging": hanging.url, "prompt": prompt.url}
        launch("prompt")
        assert flight.expected == 0  # nobody knows it yet
        assert [key for key, _ in flight.completed(wait=10)] == ["prompt"]
        launch("hanging", timeout=SLOW + 0.05)
        launch("prompt")
        assert flight.expected == 1
        assert [key for key, _ in flight.completed(wait=10, gather=10)] == ["prompt"]
        [(_, silence)] = flight.completed(wait=10)
        assert isinstance(silence, NoReply)
        launch("hanging", "prompt")
        assert flight.expected == 1
        assert [key for key, _ in flight.completed(wait=10, gather=10)] == ["prompt"]
        answer.set()
        assert [key for key, _ in flight.completed(wait=10)] == ["hanging"]
