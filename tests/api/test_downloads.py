"""Images fetched over real connections, from servers good and bad; addresses that nobody may lead us to."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from mms.content import downloads
from mms.models import Template
from tests.api.documents import SAVE, failure, file, image, request
from tests.api.sockets import Listening, Serve, listening, read_headers, reset, saying, wait_for_the_client_to_leave
from tests.scripted import Say, Scripted, serving
from tests.wire import photograph

Post = Callable[[bytes], bytes]

PICTURE = photograph()
OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
NOT_PUBLIC = "its host is not a public address"
NOT_HTTP = "its address is not an http or https URL"
NOT_VALID = "its address, or one that it redirects to, is not valid"
BROKE_OFF = "its server closed the connection or does not speak HTTP"
TOO_SLOW = "its server was too slow; all files of a request must arrive within 0.3 seconds"


def saving(url: str) -> bytes:
    return request({**SAVE, "slide": image(url.replace("&", "&amp;"))})


def not_fetched(why: str) -> bytes:
    return failure("E351", f"slide 1: the image could not be fetched: {why}")


def chunked(data: bytes, size: int = 1000) -> bytes:
    pieces = (data[start : start + size] for start in range(0, len(data), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def redirect(to: str, status: int = 302) -> Say:
    return Say(status, headers=(("Location", to),))


@pytest.fixture
def web() -> Iterator[Scripted]:
    with serving(file()) as server:
        yield server


@pytest.fixture
def public_addresses_only(settings: Settings) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = []


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "TIME_LIMIT", 0.3)


@pytest.mark.parametrize(
    "serve",
    [
        saying(OK + b"Content-Length: %d\r\n\r\n" % len(PICTURE), PICTURE),
        saying(OK + b"Connection: close\r\n\r\n", PICTURE),
        saying(b"HTTP/1.0 200 OK\r\n\r\n", PICTURE),
        saying(OK + b"Transfer-Encoding: chunked\r\n\r\n", chunked(PICTURE), b"0\r\n\r\n"),
    ],
    ids=["length", "until closed", "HTTP/1.0", "chunked"],
)
def test_an_image_is_fetched_however_its_length_is_told(answer: Post, serve: Serve) -> None:
    with listening(serve) as server:
        assert b"Success" in answer(saving(server.url))


def test_the_server_is_asked_plainly(answer: Post, web: Scripted) -> None:
    answer(saving(f"{web.url}/a b/ü.jpg?size=1&kind=x#top"))
    sent = web.received[0]
    assert sent.path == "/a%20b/%C3%BC.jpg?size=1&kind=x"
    assert sent.headers["accept-encoding"] == "identity"
    assert not {"cookie", "authorization", "referer"} & sent.headers.keys()


@pytest.mark.parametrize("head", [OK + b"Content-Length: 900000000\r\n\r\n", OK + b"\r\n", OK])
def test_an_endless_image_is_cut_at_the_accounts_cap(answer: Post, head: bytes) -> None:
    sent = 0

    def serve(connection: socket.socket) -> None:
        nonlocal sent
        read_headers(connection)
        connection.sendall(head if head != OK else OK + b"Transfer-Encoding: chunked\r\n\r\n")
        piece = b"\xff\xd8" + b"x" * 65534
        while sent < 900_000_000:
            connection.sendall(chunked(piece, len(piece)) if head == OK else piece)
            sent += len(piece)

    with listening(serve) as server:
        assert answer(saving(server.url)) == failure(
            "E331", "slide 1: the image is too large: it is larger than 5000000 bytes"
        )
    assert sent < 30_000_000


@pytest.mark.parametrize(("cap", "taken"), [(len(PICTURE), True), (len(PICTURE) - 1, False)])
def test_the_cap_is_the_accounts_own(answer: Post, web: Scripted, cap: int, taken: bool) -> None:
    account = Template.objects.get().account
    account.image_bytes_max = cap
    account.save()
    assert (b"Success" in answer(saving(web.url))) is taken


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_three_redirects_are_followed(answer: Post, web: Scripted, status: int) -> None:
    web.first(redirect("/2", status), redirect("3", status), redirect(f"{web.url}/4", status), file())
    assert b"Success" in answer(saving(f"{web.url}/1"))
    assert [sent.path for sent in web.received] == ["/1", "/2", "/3", "/4"]


def test_four_redirects_are_not_followed(answer: Post, web: Scripted) -> None:
    web.first(*[redirect("/again")] * 4)
    assert answer(saving(web.url)) == not_fetched("more than 3 redirects")
    assert len(web.received) == 4


@pytest.mark.parametrize("to", ["ftp://127.0.0.1/a.jpg", "file:///etc/passwd", "gopher://127.0.0.1/", "data:,"])
def test_a_redirect_leads_to_http_only(answer: Post, web: Scripted, to: str) -> None:
    web.first(redirect(to))
    assert answer(saving(web.url)) == not_fetched(NOT_VALID)


def test_a_redirect_does_not_lead_past_the_guard(answer: Post, web: Scripted, settings: Settings) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    with listening(saying(OK)) as inner:
        web.first(redirect(f"http://127.0.0.2:{inner.port}/"))
        assert answer(saving(web.url)) == not_fetched(NOT_PUBLIC)
        assert inner.connections == 0


def reset_after_reading(connection: socket.socket) -> None:
    read_headers(connection)
    reset(connection)


def slowly(connection: socket.socket) -> None:
    """A byte now and then, so that every single read is answered in time."""
    read_headers(connection)
    connection.sendall(OK + b"\r\n")
    over = time.monotonic() + 10
    connection.settimeout(0.05)
    while time.monotonic() < over:
        connection.sendall(b"x")
        try:
            if not connection.recv(1):
                return
        except TimeoutError:
            continue


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (saying(OK + b"Content-Length: 100\r\n\r\nless"), BROKE_OFF),
        (saying(OK + b"Transfer-Encoding: chunked\r\n\r\n", chunked(b"less")), BROKE_OFF),
        (saying(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), BROKE_OFF),
        (saying(OK), BROKE_OFF),
        (saying(), BROKE_OFF),
        (saying(b"220 ftp.example.com ready\r\n"), BROKE_OFF),
        (saying(OK + b"X: " + b"x" * 100_000 + b"\r\n\r\n"), BROKE_OFF),
        (saying(b"HTTP/1.1 301 Moved\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n"), NOT_VALID),
        (saying(b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n"), "its server answered HTTP 301"),
        (reset_after_reading, BROKE_OFF),
    ],
)
def test_a_broken_answer_is_refused(answer: Post, serve: Serve, why: str) -> None:
    with listening(serve) as server:
        assert answer(saving(server.url)) == not_fetched(why)


@pytest.mark.parametrize("serve", [slowly, wait_for_the_client_to_leave])
def test_a_slow_answer_ends_at_the_limit_of_time(answer: Post, quick: None, serve: Serve) -> None:
    with listening(serve) as server:
        started = time.monotonic()
        assert answer(saving(server.url)) == not_fetched(TOO_SLOW)
        assert time.monotonic() - started < 5


def test_a_name_server_that_hangs_is_not_waited_for(answer: Post, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hang(*_: object, **__: object) -> None:
        over.wait(10)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    try:
        assert answer(saving("http://media.example.com/a.jpg")) == not_fetched(TOO_SLOW)
        assert time.monotonic() - started < 5
    finally:
        over.set()


def test_a_server_that_is_not_there_is_told(answer: Post) -> None:
    with listening(saying()) as server:
        pass
    assert answer(saving(server.url)) == not_fetched("no connection to its server")


def test_a_host_that_does_not_exist_is_told(answer: Post) -> None:
    assert answer(saving("http://nowhere.invalid/a.jpg")) == not_fetched("its host name cannot be resolved")


def test_https_wants_a_secure_connection(answer: Post) -> None:
    with listening(lambda connection: connection.sendall(OK)) as server:
        url = server.url.replace("http:", "https:")
        assert answer(saving(url)) == not_fetched("no secure connection to its server")


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
def test_what_is_no_http_url_is_refused(answer: Post, url: str, why: str) -> None:
    with listening(saying(OK)) as server:
        refused = answer(saving(url.replace("{port}", str(server.port))))
        assert server.connections == 0
    assert refused == not_fetched(why)


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
def test_only_public_addresses_are_connected_to(
    answer: Post, public_addresses_only: None, server: Listening, host: str
) -> None:
    assert answer(saving(f"http://{host}:{server.port}/a.jpg")) == not_fetched(NOT_PUBLIC)
    assert server.connections == 0


@pytest.fixture
def server() -> Iterator[Listening]:
    with listening(saying(OK)) as server:
        yield server


def test_a_public_name_of_a_private_address_is_not_connected_to(
    answer: Post, public_addresses_only: None, server: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def resolve(host: str, *arguments: object, **options: object) -> object:
        return real("127.0.0.1" if host == "media.example.com" else host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert answer(saving(f"http://media.example.com:{server.port}/a.jpg")) == not_fetched(NOT_PUBLIC)
    assert server.connections == 0
