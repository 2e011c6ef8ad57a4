"""Other people's HTTP: headers of any size, addresses as they are written, bodies compressed unasked."""

import gzip
import tomllib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as configured
from pytest_django import Settings

from mms.content.downloads import DownloadError, Downloads
from mms.messages.gateway import submit_result
from mms.models import Carrier
from mms.protocol.submit import Outcome
from mms.runtime.http_client import NoReply, Purpose, Reply, Request
from mms.runtime.in_flight import InFlight
from tests.api.documents import file, save_request
from tests.api.sockets import respond_with, tcp_server
from tests.scripted import Response, ScriptedServer, serving
from tests.wire import submit_rsp

pytestmark = pytest.mark.usefixtures("public_loopback")

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
END = b"Content-Length: 2\r\n\r\nok"
LONG = b"Content-Security-Policy: " + b"x" * 100_000 + b"\r\n"
MANY = b"".join(b"X-%d: y\r\n" % number for number in range(3000))
ENDLESS = b"X-A: " + b"a" * 400_000 + b"\r\n"


@pytest.fixture
def web() -> Iterator[ScriptedServer]:
    with serving(file(b"x")) as server:
        yield server


def fetch(url: str, size_max: int = 1000) -> bytes:
    return Downloads().fetch(url, size_max).data


def post(url: str, *, status_suffices: bool = False) -> Reply | NoReply:
    with InFlight[int](1, Purpose.POSTBACK) as in_flight:
        in_flight.launch(1, Request(url, b"x", {}, 10.0, status_suffices=status_suffices))
        ((_, result),) = in_flight.completed(20)
    return result


@pytest.mark.parametrize("headers", [LONG, MANY], ids=["long", "many"])
def test_large_headers_change_no_outcome(headers: bytes) -> None:
    with tcp_server(respond_with(OK, headers, END)) as server:
        assert fetch(server.url) == b"ok"
        reply = post(server.url)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (200, b"ok")


@pytest.mark.parametrize("status", [200, 503])
def test_status_counts_although_the_headers_are_endless(status: int) -> None:
    with tcp_server(respond_with(b"HTTP/1.1 %d Any\r\n" % status, *[ENDLESS] * 5)) as server:
        reply = post(server.url, status_suffices=True)
        assert isinstance(reply, Reply)
        assert reply.status == status
        unread = post(server.url)
        assert (isinstance(unread, NoReply), unread.written) == (True, True)  # type: ignore[union-attr]
        with pytest.raises(DownloadError, match="its headers are larger than 300000 bytes"):
            fetch(server.url)


def test_interim_responses_extend_no_limit() -> None:
    with tcp_server(respond_with(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3, OK, *[ENDLESS] * 5)) as server:
        assert isinstance(post(server.url), NoReply)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("/p%28x%29.jpg?sig=a%2Fb%3D%3D", None),
        ("/a%7Eb/%41?x=%2b+%20&y=a%2cb", None),
        ("/a/../b/./c", None),
        ("/a;b=1,2/!$&'()*+@:", None),
        ("?a=1", "/?a=1"),
        ("/100%/a b?q=1", "/100%25/a%20b?q=1"),
    ],
)
def test_address_is_sent_as_written(web: ScriptedServer, written: str, sent: str | None) -> None:
    sent = sent or written
    fetch(web.url + written)
    post(web.url + written)
    web.answer_next(Response(302, headers=(("Location", web.url + written),)))
    fetch(web.url)
    paths = [received.path for received in web.received]
    assert paths == [sent, sent, "/", sent]


@pytest.mark.parametrize(
    ("location", "sent"),
    [
        ("b%2Fc.jpg?x=%20", "/a/b%2Fc.jpg?x=%20"),
        ("/b c.jpg", "/b%20c.jpg"),
        ("/\u00fc", "/%FC"),  # as Latin-1 on the wire
        ("?page=2", "/a/start?page=2"),
        ("../up", "/up"),
        (r"\windows", "/windows"),
        ("http:/same", "/same"),
        ("//{host}/other", "/other"),
        ("HTTP://{host}/upper#top", "/upper"),
        ("  /spaces  ", "/spaces"),
    ],
)
def test_odd_location_is_followed(web: ScriptedServer, location: str, sent: str) -> None:
    to = location.replace("{host}", web.url.removeprefix("http://"))
    web.answer_next(Response(302, headers=(("Location", to),)))
    assert fetch(f"{web.url}/a/start") == b"x"
    assert web.received[1].path == sent


def test_credentials_stay_with_their_server(web: ScriptedServer) -> None:
    web.answer_next(
        Response(302, headers=(("Location", f"{web.url}/2"),)), Response(302, headers=(("Location", "/3"),))
    )
    fetch(web.url.replace("//", "//user:secret@"))
    assert [("authorization" in sent.headers) for sent in web.received] == [True] * 3


CARD = b"BEGIN:VCARD\r\nEND:VCARD\r\n"


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(CARD, mtime=0)),
        ("X-GZIP", gzip.compress(CARD[:9], mtime=0) + gzip.compress(CARD[9:], mtime=0)),
        ("deflate", zlib.compress(CARD)),
        ("gzip", CARD),  # only the header says so
        ("utf-8", CARD),
        ("identity", CARD),
    ],
)
def test_unasked_compression_is_undone(web: ScriptedServer, coding: str, body: bytes) -> None:
    web.default = Response(body=body, headers=(("Content-Encoding", coding),))
    assert fetch(web.url) == CARD
    reply = post(web.url)
    assert isinstance(reply, Reply)
    assert (reply.body, reply.problem) == (CARD, "")


@pytest.mark.parametrize(
    ("coding", "body", "reason"),
    [
        ("br", b"x", "its server sent it with Content-Encoding: br, which was not asked for"),
        ("gzip, br", b"x", "its server sent it with Content-Encoding: gzip, br, which was not asked for"),
        ("gzip", gzip.compress(CARD, mtime=0)[:-12], "it does not match its Content-Encoding: gzip"),
        ("deflate", b"\xff\xff", "it does not match its Content-Encoding: deflate"),
    ],
)
def test_unreadable_coding_is_named(
    call_api: Callable[[bytes], bytes], web: ScriptedServer, coding: str, body: bytes, reason: str
) -> None:
    web.default = Response(body=body, headers=(("Content-Encoding", coding), ("Content-Type", "image/jpeg")))
    assert reason.encode() in call_api(save_request(web.url))
    reply = post(web.url)
    assert isinstance(reply, Reply)
    assert submit_result(Carrier(), reply).text == f"HTTP 200: {reason}"


def test_compressed_answer_of_an_mmsc_is_read(web: ScriptedServer) -> None:
    web.default = Response(body=gzip.compress(submit_rsp("M1").body), headers=(("Content-Encoding", "gzip"),))
    result = submit_result(Carrier(), post(web.url))
    assert (result.outcome, result.message_id) == (Outcome.SUBMITTED, "M1")


def test_user_agent_names_the_product_and_can_be_set(web: ScriptedServer, settings: Settings) -> None:
    project = tomllib.loads((Path(configured.BASE_DIR) / "pyproject.toml").read_text())["project"]
    assert f"mms-platform/{project['version']}" == f"{project['name']}/{configured.VERSION}"
    fetch(web.url)
    settings.HTTP_USER_AGENT = "Example/2 (ops@example.com)"
    post(web.url)
    agents = [sent.headers["user-agent"] for sent in web.received]
    assert agents == [f"mms-platform/{configured.VERSION}", "Example/2 (ops@example.com)"]
