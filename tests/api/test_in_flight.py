"""Requests in flight: each ends in a reply, or in a failure that says whether the whole request was sent."""

import socket
import threading

import pytest
from pytest_django import Settings

from mms.runtime.http_client import MAX_BODY_SIZE, NoReply, Reply, Request
from mms.runtime.in_flight import InFlight
from tests.api.in_flight_requests import LARGE, OK, SMALL, answering, read_request, send
from tests.api.sockets import Handler, read_headers, reset, respond_with, tcp_server, wait_for_close


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
        (answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 900_000 + b"\r\n\r\n"), SMALL, True),
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
    settings.POSTBACK_ALLOWED_NETWORKS = []
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
