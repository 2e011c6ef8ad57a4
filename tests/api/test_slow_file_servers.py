"""Customers whose file servers take a call's request and say nothing: they hold up nobody but themselves."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from io import BytesIO
from types import SimpleNamespace
from wsgiref.util import setup_testing_defaults

import pytest

from base.request_slots import SLOTS
from billing import keys
from billing.models import Account
from config.wsgi import application
from mms.api.slides import CONCURRENT_FETCHES_MAX
from mms.content import downloads
from mms.content.downloads import DownloadError, Downloads
from tests.api.documents import KEY, SAVE, failure, file, image, request
from tests.api.sockets import listening, read_headers
from tests.scripted import Scripted, serving
from tests.wire import photograph

Post = Callable[[bytes], bytes]
PATIENCE = 20  # seconds


def ask(body: bytes) -> bytes:
    """What the web process answers, which works on as many requests at once as it ever does."""
    called = {"REQUEST_METHOD": "POST", "PATH_INFO": "/ep/v1/", "HTTP_HOST": "localhost"}
    environ = {**called, "CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)}
    setup_testing_defaults(environ)
    with closing(application(environ, lambda *_: bytes)) as answered:  # type: ignore[type-var]  # Django's can be
        return b"".join(answered)


def saving(key: str, url: str) -> bytes:
    return request({**SAVE, "api-key": key, "slide": image(url)})


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_servers_that_hang_hold_up_their_own_accounts_alone(world: SimpleNamespace) -> None:
    others = [Account.objects.create(name=f"Hanging {number}") for number in range(SLOTS // CONCURRENT_FETCHES_MAX)]
    hanging = [keys.issue(account) for account in others]
    asked, over = threading.Semaphore(0), threading.Event()

    def hang(connection: socket.socket) -> None:
        read_headers(connection)
        asked.release()
        over.wait(PATIENCE)

    with listening(hang) as server, ThreadPoolExecutor(SLOTS + 1) as pool:
        calls = [pool.submit(ask, saving(key, server.url)) for key in hanging for _ in range(CONCURRENT_FETCHES_MAX)]
        try:
            assert all(asked.acquire(timeout=PATIENCE) for _ in calls)
            at_last = pool.submit(ask, request({"action": "loginUser", "api-key": KEY}))
            assert b"Success" in at_last.result(PATIENCE / 2)
            one_more = pool.submit(ask, saving(hanging[0], server.url)).result(PATIENCE / 2)
        finally:
            over.set()
    busy = "4 requests of this account are already fetching files; retry when one of them has finished"
    assert one_more == failure("E113", busy)
    assert all(b"E351" in call.result() for call in calls)
    assert b"E351" in ask(saving(hanging[0], server.url))


@pytest.fixture
def web() -> Iterator[Scripted]:
    with serving(file()) as server:
        yield server


def test_the_files_of_a_call_are_bounded_together(answer: Post, web: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 2 * len(photograph()) - 1
    monkeypatch.setattr(downloads, "BYTES_MAX", most)
    refused = f"slide 2: the image is too large: the files of a request may not exceed {most} bytes in total"
    assert answer(request({**SAVE, "slide": [image(web.url)] * 2})) == failure("E331", refused)
    assert b"Success" in answer(request({**SAVE, "slide": image(web.url)}))


def test_a_call_whose_time_is_over_asks_no_further_server(web: Scripted) -> None:
    call = Downloads(deadline=0.0)
    with pytest.raises(DownloadError, match="all files of a request must arrive within 20 seconds"):
        call.fetch(web.url, 1_000_000)
    assert web.received == []
