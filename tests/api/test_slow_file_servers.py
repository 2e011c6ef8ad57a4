"""Customers' file servers that hang: they delay only requests of their own account."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from base.request_slots import SLOTS
from billing import keys
from billing.models import Account
from mms.api.slides import CONCURRENT_FETCHES_MAX
from mms.content import downloads
from mms.content.downloads import DownloadError, Downloads
from tests.api.documents import KEY, SAVE, failure, file, image, request
from tests.api.sockets import read_headers, tcp_server
from tests.api.wsgi import call_wsgi
from tests.scripted import ScriptedServer, serving
from tests.wire import photograph

pytestmark = pytest.mark.usefixtures("public_loopback")

CallApi = Callable[[bytes], bytes]
TIMEOUT = 20  # seconds


def save_request(key: str, url: str) -> bytes:
    return request({**SAVE, "api-key": key, "slide": image(url)})


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_hanging_servers_delay_only_their_own_accounts(records: SimpleNamespace) -> None:
    others = [Account.objects.create(name=f"Hanging {number}") for number in range(SLOTS // CONCURRENT_FETCHES_MAX)]
    hanging = [keys.issue(account) for account in others]
    arrived, finished = threading.Semaphore(0), threading.Event()

    def hang(connection: socket.socket) -> None:
        read_headers(connection)
        arrived.release()
        finished.wait(TIMEOUT)

    with tcp_server(hang) as server, ThreadPoolExecutor(SLOTS + 1) as pool:
        calls = [
            pool.submit(call_wsgi, save_request(key, server.url))
            for key in hanging
            for _ in range(CONCURRENT_FETCHES_MAX)
        ]
        try:
            assert all(arrived.acquire(timeout=TIMEOUT) for _ in calls)
            login = pool.submit(call_wsgi, request({"action": "loginUser", "api-key": KEY}))
            assert b"Success" in login.result(TIMEOUT / 2)
            refused = pool.submit(call_wsgi, save_request(hanging[0], server.url)).result(TIMEOUT / 2)
        finally:
            finished.set()
    busy = "4 requests of this account are already fetching files; retry when one of them has finished"
    assert refused == failure("E113", busy)
    assert all(b"E351" in call.result() for call in calls)
    assert b"E351" in call_wsgi(save_request(hanging[0], server.url))


@pytest.fixture
def web() -> Iterator[ScriptedServer]:
    with serving(file()) as server:
        yield server


def test_total_size_of_the_files_of_a_call_is_limited(
    call_api: CallApi, web: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 2 * len(photograph()) - 1
    monkeypatch.setattr(downloads, "BYTES_MAX", limit)
    refused = f"slide 2: the image is too large: the files of a request may not exceed {limit} bytes in total"
    assert call_api(request({**SAVE, "slide": [image(web.url)] * 2})) == failure("E331", refused)
    assert b"Success" in call_api(request({**SAVE, "slide": image(web.url)}))


def test_call_past_its_deadline_fetches_nothing_more(web: ScriptedServer) -> None:
    call = Downloads(seconds_left=0.0)
    with pytest.raises(DownloadError, match="all files of a request must arrive within 20 seconds"):
        call.fetch(web.url, 1_000_000)
    assert web.received == []
