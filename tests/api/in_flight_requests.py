"""Servers and requests for the tests of requests in flight."""

import socket

from mms.runtime.http_client import NoReply, Reply, Request
from mms.runtime.in_flight import InFlight
from tests.api.sockets import Handler, read_headers

LARGE = b"x" * 8_000_000  # more than any socket's buffers hold
SMALL = b"x" * 100
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 2\r\n\r\nok"


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
