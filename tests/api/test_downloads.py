"""Downloads of images finished real connections: broken and slow servers, redirects, and forbidden addresses."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from mms.content import downloads
from mms.models import Template
from tests.api.documents import failure, fetch_failure, file, save_request
from tests.api.sockets import Handler, read_headers, reset, respond_with, tcp_server, wait_for_close
from tests.scripted import Response, ScriptedServer, serving
from tests.wire import photograph

pytestmark = pytest.mark.usefixtures("public_loopback")

CallApi = Callable[[bytes], bytes]

PICTURE = photograph()
OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
NOT_PUBLIC = "its host has no public address"
NOT_HTTP = "its address is not an http or https URL"
NOT_VALID = "its address, or one that it redirects to, is not valid"
BROKEN = "its server closed the connection or does not speak HTTP"
TOO_SLOW = "its server was too slow; all files of a request must arrive within 0.3 seconds"


def chunked(data: bytes, size: int = 1000) -> bytes:
    pieces = (data[start : start + size] for start in range(0, len(data), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def redirect(to: str, status: int = 302) -> Response:
    return Response(status, headers=(("Location", to),))


@pytest.fixture
def web() -> Iterator[ScriptedServer]:
    with serving(file()) as server:
        yield server


@pytest.fixture
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "TIME_LIMIT", 0.3)


@pytest.mark.parametrize(
    "serve",
    [
        respond_with(OK + b"Content-Length: %d\r\n\r\n" % len(PICTURE), PICTURE),
        respond_with(OK + b"Connection: close\r\n\r\n", PICTURE),
        respond_with(b"HTTP/1.0 200 OK\r\n\r\n", PICTURE),
        respond_with(OK + b"Transfer-Encoding: chunked\r\n\r\n", chunked(PICTURE), b"0\r\n\r\n"),
    ],
    ids=["length", "until closed", "HTTP/1.0", "chunked"],
)
def test_image_is_fetched_with_any_kind_of_length(call_api: CallApi, serve: Handler) -> None:
    with tcp_server(serve) as server:
        assert b"Success" in call_api(save_request(server.url))


def test_request_has_no_compression_or_credentials(call_api: CallApi, web: ScriptedServer) -> None:
    call_api(save_request(f"{web.url}/a b/ü.jpg?size=1&kind=x#top"))
    sent = web.received[0]
    assert sent.path == "/a%20b/%C3%BC.jpg?size=1&kind=x"
    assert sent.headers["accept-encoding"] == "identity"
    assert not {"cookie", "authorization", "referer"} & sent.headers.keys()


@pytest.mark.parametrize("head", [OK + b"Content-Length: 900000000\r\n\r\n", OK + b"\r\n", OK])
def test_endless_image_is_cut_at_the_size_limit(call_api: CallApi, head: bytes) -> None:
    sent = 0

    def serve(connection: socket.socket) -> None:
        nonlocal sent
        read_headers(connection)
        connection.sendall(head if head != OK else OK + b"Transfer-Encoding: chunked\r\n\r\n")
        piece = b"\xff\xd8" + b"x" * 65534
        while sent < 900_000_000:
            connection.sendall(chunked(piece, len(piece)) if head == OK else piece)
            sent += len(piece)

    with tcp_server(serve) as server:
        assert call_api(save_request(server.url)) == failure(
            "E331", "slide 1: the image is too large: it is larger than 5000000 bytes"
        )
    assert sent < 30_000_000


@pytest.mark.parametrize(("limit", "accepted"), [(len(PICTURE), True), (len(PICTURE) - 1, False)])
def test_size_limit_is_set_by_the_account(call_api: CallApi, web: ScriptedServer, limit: int, accepted: bool) -> None:
    account = Template.objects.get().account
    account.image_bytes_max = limit
    account.save()
    assert (b"Success" in call_api(save_request(web.url))) is accepted


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_three_redirects_are_followed(call_api: CallApi, web: ScriptedServer, status: int) -> None:
    web.answer_next(redirect("/2", status), redirect("3", status), redirect(f"{web.url}/4", status), file())
    assert b"Success" in call_api(save_request(f"{web.url}/1"))
    assert [sent.path for sent in web.received] == ["/1", "/2", "/3", "/4"]


def test_four_redirects_are_not_followed(call_api: CallApi, web: ScriptedServer) -> None:
    web.answer_next(*[redirect("/again")] * 4)
    assert call_api(save_request(web.url)) == fetch_failure("more than 3 redirects")
    assert len(web.received) == 4


@pytest.mark.parametrize("to", ["ftp://127.0.0.1/a.jpg", "file:///etc/passwd", "gopher://127.0.0.1/", "data:,"])
def test_redirect_to_another_scheme_is_refused(call_api: CallApi, web: ScriptedServer, to: str) -> None:
    web.answer_next(redirect(to))
    assert call_api(save_request(web.url)) == fetch_failure(NOT_VALID)


def test_redirect_to_a_private_address_is_refused(call_api: CallApi, web: ScriptedServer, settings: Settings) -> None:
    settings.DOWNLOAD_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    with tcp_server(respond_with(OK)) as inner:
        web.answer_next(redirect(f"http://127.0.0.2:{inner.port}/"))
        assert call_api(save_request(web.url)) == fetch_failure(NOT_PUBLIC)
        assert inner.connections == 0


def reset_after_reading(connection: socket.socket) -> None:
    read_headers(connection)
    reset(connection)


def respond_slowly(connection: socket.socket) -> None:
    """Send single bytes, so that each read succeeds in time."""
    read_headers(connection)
    connection.sendall(OK + b"\r\n")
    finished = time.monotonic() + 10
    connection.settimeout(0.05)
    while time.monotonic() < finished:
        connection.sendall(b"x")
        try:
            if not connection.recv(1):
                return
        except TimeoutError:
            continue


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (respond_with(OK + b"Content-Length: 100\r\n\r\nless"), BROKEN),
        (respond_with(OK + b"Transfer-Encoding: chunked\r\n\r\n", chunked(b"less")), BROKEN),
        (respond_with(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), BROKEN),
        (respond_with(OK), BROKEN),
        (respond_with(), BROKEN),
        (respond_with(b"220 ftp.example.com ready\r\n"), BROKEN),
        (respond_with(OK + b"X: " + b"x" * 900_000 + b"\r\n\r\n"), "its headers are larger than 300000 bytes"),
        (respond_with(b"HTTP/1.1 301 Moved\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n"), NOT_VALID),
        (respond_with(b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n"), "its server answered HTTP 301"),
        (reset_after_reading, BROKEN),
    ],
)
def test_broken_response_is_refused(call_api: CallApi, serve: Handler, why: str) -> None:
    with tcp_server(serve) as server:
        assert call_api(save_request(server.url)) == fetch_failure(why)


@pytest.mark.parametrize("serve", [respond_slowly, wait_for_close])
def test_slow_response_ends_at_the_time_limit(call_api: CallApi, short_deadline: None, serve: Handler) -> None:
    with tcp_server(serve) as server:
        started = time.monotonic()
        assert call_api(save_request(server.url)) == fetch_failure(TOO_SLOW)
        assert time.monotonic() - started < 5


def test_hanging_name_server_ends_at_the_time_limit(
    call_api: CallApi, short_deadline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = threading.Event()

    def hang(*_: object, **__: object) -> None:
        finished.wait(10)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    try:
        assert call_api(save_request("http://media.example.com/a.jpg")) == fetch_failure(TOO_SLOW)
        assert time.monotonic() - started < 5
    finally:
        finished.set()


def test_missing_server_is_reported(call_api: CallApi) -> None:
    with tcp_server(respond_with()) as server:
        pass
    assert call_api(save_request(server.url)) == fetch_failure("no connection to its server")


def test_unknown_host_is_reported(call_api: CallApi) -> None:
    assert call_api(save_request("http://nowhere.invalid/a.jpg")) == fetch_failure(NOT_PUBLIC)


def test_https_url_requires_a_secure_connection(call_api: CallApi) -> None:
    with tcp_server(lambda connection: connection.sendall(OK)) as server:
        url = server.url.replace("http:", "https:")
        assert call_api(save_request(url)) == fetch_failure("no secure connection to its server")
