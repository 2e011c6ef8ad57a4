"""Outbound requests reach no private address, and no response can exhaust or mislead the platform."""

import gzip
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
from pytest_django import Settings

from mms.content.downloads import DownloadedFile, DownloadError, Downloads
from mms.runtime.http_client import NoReply, Purpose, Request, is_allowed
from mms.runtime.in_flight import InFlight
from tests.api.sockets import read_headers, respond_with, tcp_server
from tests.scripted import Response, ScriptedServer, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
NAME = "media.example.com"

Resolve = Callable[[Sequence[Sequence[str]]], None]


def fetch(url: str, cap: int) -> DownloadedFile:
    return Downloads().fetch(url, cap)


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Make media.example.com resolve to these addresses, to the next ones at each lookup."""
    real = socket.getaddrinfo

    def resolved(answers: Sequence[Sequence[str]]) -> None:
        left = list(answers)

        def resolve(host: str, *arguments: object, **options: object) -> list[object]:
            names = [host] if host != NAME else left.pop(0) if len(left) > 1 else left[0]
            return [each for name in names for each in real(name, *arguments, **options)]  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)

    return resolved


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "100.100.100.200", "192.0.0.192", "169.254.170.2",  # clouds' metadata
        "fd00:ec2::254", "fd20:ce::254", "fe80::a9fe:a9fe", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:5601:5601", "::169.254.169.254", "::1", "::", "0.0.0.0",
        "127.1.2.3", "10.255.255.255", "172.31.0.1", "192.168.1.1", "100.127.255.255", "192.0.2.1", "198.18.0.1",
        "198.51.100.1", "203.0.113.1", "240.0.0.1", "255.255.255.255", "239.1.1.1", "ff0e::1", "2001:db8::1",
        "fe80::1%eth0", "fc00::1", "100::1", "2001:20::1", "3fff::1", "5f00::1",
    ],
)  # fmt: skip
def test_non_public_address_is_refused(settings: Settings, address: str) -> None:
    settings.DOWNLOAD_ALLOWED_NETWORKS = []
    assert not is_allowed(address, Purpose.DOWNLOAD)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::"]
)
def test_public_address_is_allowed(settings: Settings, address: str) -> None:
    settings.DOWNLOAD_ALLOWED_NETWORKS = []
    assert is_allowed(address, Purpose.DOWNLOAD)


def test_only_allowed_addresses_of_a_name_are_tried(resolved: Resolve, settings: Settings) -> None:
    settings.DOWNLOAD_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    with tcp_server(respond_with(OK + b"Content-Length: 1\r\n\r\nx")) as server:
        resolved([["127.0.0.2", "127.0.0.1", "127.0.0.3"]])
        assert fetch(f"http://{NAME}:{server.port}/", 10).data == b"x"
        resolved([["127.0.0.2", "127.0.0.3"]])
        with pytest.raises(DownloadError, match="its host has no public address"):
            fetch(f"http://{NAME}:{server.port}/", 10)
        assert server.connections == 1


def test_dns_rebinding_is_refused(resolved: Resolve, settings: Settings) -> None:
    settings.DOWNLOAD_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    resolved([["127.0.0.1"], ["127.0.0.2"]])
    with serving(Response()) as server, tcp_server(respond_with(OK)) as inner:
        port = server.url.rpartition(":")[2]
        server.answer_next(Response(302, headers=(("Location", f"http://{NAME.upper()}.:{inner.port}/"),)))
        with pytest.raises(DownloadError):
            fetch(f"http://{NAME}:{port}/", 10)
        assert inner.connections == 0


@pytest.mark.parametrize("break_off", ["\r\n", "\n", "\r", "%0d%0a", "\u560a", "\t", "\x00"])
@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:{port}/a{x}X-Evil: 1",
        "http://127.0.0.1:{port}/?a={x}X-Evil:%201",
        "http://127.0.0.1:{port}{x}X-Evil: 1/",
        "http://u{x}X-Evil:p@127.0.0.1:{port}/",
    ],
)
def test_line_end_in_url_injects_no_header(place: str, break_off: str) -> None:
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        seen.append(read_headers(connection))
        connection.sendall(OK + b"Content-Length: 1\r\nConnection: close\r\n\r\nx")

    with tcp_server(serve) as server:
        url = place.replace("{port}", str(server.port)).replace("{x}", break_off)
        with suppress(DownloadError):
            fetch(url, 10)
    assert not any(line.lower().startswith(b"x-evil") for sent in seen for line in sent.splitlines())


def test_url_password_is_not_sent_to_redirect_target() -> None:
    with serving(Response(body=b"x")) as other, serving(Response()) as server:
        server.answer_next(Response(302, headers=(("Location", other.url.replace("127.0.0.1", "localhost")),)))
        fetch(server.url.replace("//", "//user:secret@"), 10)
    assert "authorization" in server.received[0].headers
    assert "authorization" not in other.received[0].headers


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip"])
def test_compressed_response_is_not_expanded_beyond_the_cap(encoding: str) -> None:
    bomb = gzip.compress(bytes(50_000_000), 1)
    head = OK + f"Content-Encoding: {encoding}\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    with tcp_server(respond_with(head, bomb)) as server:
        began = time.process_time()
        with pytest.raises(DownloadError, match=r"larger than 1000000 bytes|Content-Encoding: (br|gzip, gzip)"):
            fetch(server.url, 1_000_000)
        assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "said", [b"220 mail.example.com ESMTP\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"+PONG\r\n", b"\x00" * 64]
)
def test_response_of_another_protocol_is_not_disclosed(said: bytes) -> None:
    with (
        tcp_server(respond_with(said)) as server,
        pytest.raises(DownloadError, match="closed the connection or does not speak HTTP"),
    ):
        fetch(server.url, 1000)


def test_endless_headers_are_refused() -> None:
    with (
        tcp_server(respond_with(OK, *[b"X-A: " + b"a" * 60_000 + b"\r\n"] * 20)) as server,
        pytest.raises(DownloadError),
    ):
        fetch(server.url, 1000)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}/\r\nX-Evil: 1", "http://127.0.0.1:{port}/ HTTP/1.1\r\nX-Evil:1"]
)
def test_postback_url_injects_no_header(customer: ScriptedServer, url: str) -> None:
    port = customer.url.rpartition(":")[2]
    with InFlight[int](1, Purpose.POSTBACK) as flight:
        flight.launch(1, Request(url.replace("{port}", port), b"x", {}, 5.0))
        ((_, result),) = flight.completed(10)
    assert isinstance(result, NoReply) or "x-evil" not in customer.received[0].headers


def test_header_with_line_end_is_not_sent(customer: ScriptedServer) -> None:
    with InFlight[int](1, Purpose.POSTBACK) as flight:
        flight.launch(1, Request(customer.url, b"x", {"X-MMS-Message": "a\r\nX-Evil: 1"}, 5.0))
        ((_, result),) = flight.completed(10)
    assert (isinstance(result, NoReply), customer.received) == (True, [])
