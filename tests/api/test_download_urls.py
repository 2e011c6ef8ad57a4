"""URLs of downloads: invalid ones and private addresses are refused without a connection."""

import socket
from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from tests.api.documents import fetch_failure, save_request
from tests.api.sockets import TcpServer, respond_with, tcp_server

CallApi = Callable[[bytes], bytes]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
NOT_PUBLIC = "its host has no public address"
NOT_HTTP = "its address is not an http or https URL"
NOT_VALID = "its address, or one that it redirects to, is not valid"


@pytest.fixture
def public_addresses_only(settings: Settings) -> None:
    settings.DOWNLOAD_ALLOWED_NETWORKS = []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("a.jpg", NOT_HTTP),
        ("/a.jpg", NOT_HTTP),
        ("127.0.0.1:{port}/a.jpg", NOT_HTTP),
        ("//127.0.0.1:{port}/a.jpg", NOT_HTTP),
        ("ftp://127.0.0.1:{port}/a.jpg", NOT_HTTP),
        ("file:///etc/passwd", NOT_HTTP),
        ("javascript:alert(1)", NOT_HTTP),
        ("http:127.0.0.1:{port}/a.jpg", NOT_HTTP),
        ("http://", NOT_VALID),
        ("http:///a.jpg", NOT_VALID),
        ("http://[::1/a.jpg", NOT_VALID),
        ("http://[::1]]/a.jpg", NOT_VALID),
        ("http://127.0.0.1:port/", NOT_VALID),
        ("http://127.0.0.1:99999/", NOT_VALID),
        ("http://127.1:{port}/", NOT_VALID),
        ("http://2130706433:{port}/", NOT_VALID),
        ("http://0177.0.0.1:{port}/", NOT_VALID),
        ("http://" + "a" * 64 + ".example.com/", NOT_VALID),
    ],
)
def test_invalid_url_is_refused(call_api: CallApi, url: str, why: str) -> None:
    with tcp_server(respond_with(OK)) as server:
        refused = call_api(save_request(url.replace("{port}", str(server.port))))
        assert server.connections == 0
    assert refused == fetch_failure(why)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "user:password@127.0.0.1",
        "localhost",
        "LOCALHOST",
        "0x7f.1",
        "１２７.０.０.１",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "[fd00::1]",
        "[fe80::1]",
        "[fec0::1]",
        "[::7f00:1]",
        "[::ffff:0:7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[ff02::1]",
    ],
)
def test_private_address_is_refused(
    call_api: CallApi, public_addresses_only: None, server: TcpServer, host: str
) -> None:
    assert call_api(save_request(f"http://{host}:{server.port}/a.jpg")) == fetch_failure(NOT_PUBLIC)
    assert server.connections == 0


@pytest.fixture
def server() -> Iterator[TcpServer]:
    with tcp_server(respond_with(OK)) as server:
        yield server


def test_public_name_with_a_private_address_is_refused(
    call_api: CallApi, public_addresses_only: None, server: TcpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def resolve(host: str, *arguments: object, **options: object) -> object:
        return real("127.0.0.1" if host == "media.example.com" else host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert call_api(save_request(f"http://media.example.com:{server.port}/a.jpg")) == fetch_failure(NOT_PUBLIC)
    assert server.connections == 0
