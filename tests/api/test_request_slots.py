"""Request slots: fair between owners, with few for costly requests, of which only some may wait."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, Thread
from types import SimpleNamespace
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.util import setup_testing_defaults

import psycopg
import pytest
from django.db import connection

from base import request_slots, sql
from base.request_slots import SLOTS, SLOTS_EACH, FairSlots
from billing import keys
from billing.models import Account
from config.wsgi import ALL_REQUESTS_MAX, REQUESTS_MAX, UNFINISHED_MAX, read_body_first
from mms.api import accept_alone
from mms.api.actions import ALL_COSTLY_MAX, COSTLY_MAX
from tests.api.documents import KEY, SEND, failure, request
from tests.api.wsgi import call_wsgi
from tests.processes.platform_under_test import eventually
from tests.processes.rows import held

TIMEOUT = 30  # seconds


class Owners:
    """Threads that wait for a slot of an owner each, and the order in which they get one."""

    def __init__(self, slots: FairSlots) -> None:
        self.slots = slots
        self.admitted: SimpleQueue[str] = SimpleQueue()
        self.threads: list[Thread] = []

    def wait(self, *names: str, first: bool = False) -> None:
        """Let a thread wait for each name, whose first letter is the owner."""
        for name in names:
            waiting = self.count()
            self.threads.append(Thread(target=self._wait, args=(name, first), daemon=True))
            self.threads[-1].start()
            eventually(lambda before=waiting: self.count() > before)  # type: ignore[misc]

    def count(self) -> int:
        return sum(map(len, list(self.slots.waiting.values())))

    def _wait(self, name: str, first: bool) -> None:
        self.slots.acquire(name[0], first=first)
        self.admitted.put(name)

    def release(self, owner: str) -> str:
        """Release a slot of the owner, and return the name that gets it."""
        self.slots.release(owner)
        return self.admitted.get(timeout=TIMEOUT)


def test_free_slot_goes_to_the_owner_with_the_fewest() -> None:
    owners = Owners(FairSlots(3, 3))
    for _ in range(3):
        owners.slots.acquire("a")
    owners.wait("a1", "a2", "b1", "b2", "c1")
    assert [owners.release("a") for _ in range(3)] == ["b1", "c1", "a1"]
    assert [owners.release("c"), owners.release("b")] == ["b2", "a2"]
    owners.slots.release("a")
    owners.slots.release("a")
    owners.slots.release("b")
    assert (owners.slots.free, dict(owners.slots.held), owners.slots.waiting) == (3, {}, {})


def test_owner_gets_no_more_than_its_slots() -> None:
    owners = Owners(FairSlots(2, 1))
    owners.slots.acquire("a")
    owners.wait("a1", "a2")
    owners.slots.acquire("b")
    owners.slots.release("b")
    assert owners.count() == 2
    assert owners.release("a") == "a1"


def test_request_that_has_begun_precedes_its_owner() -> None:
    owners = Owners(FairSlots(1, 1))
    owners.slots.acquire("a")
    owners.wait("a1", "b1")
    owners.wait("a2", first=True)
    assert [owners.release(owner) for owner in "aab"] == ["a2", "b1", "a1"]


def test_owner_leaves_slots_for_others() -> None:
    owners = Owners(FairSlots(SLOTS, SLOTS_EACH))
    for _ in range(SLOTS_EACH):
        owners.slots.acquire("a")
    owners.wait("a1")
    for _ in range(SLOTS - SLOTS_EACH):
        owners.slots.acquire("b")
    assert (owners.release("a"), owners.slots.free) == ("a1", 0)


def test_connection_that_cannot_be_returned_costs_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("the pool is broken")

    monkeypatch.setattr(sql, "release_connection", fail)
    owners = Owners(FairSlots(1, 1))
    owners.slots.acquire("a")
    owners.wait("b1")
    assert owners.release("a") == "b1"
    owners.slots.release("b")
    assert (owners.slots.free, dict(owners.slots.held), owners.slots.waiting) == (1, {}, {})


def waits_for_lock() -> bool:
    return bool(sql.fetch_rows("SELECT 1 FROM pg_locks WHERE NOT granted", []))


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_answer_of_one_accepted_alone_waits_for_no_slot(
    records: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a client would give up, and repeat a message that is sent."""
    others = Owners(FairSlots(1, 1))
    monkeypatch.setattr(request_slots, "_slots", others.slots)
    monkeypatch.setattr(accept_alone, "BRIEF_WAIT", TIMEOUT)
    with ThreadPoolExecutor(1) as pool:
        with held("SELECT FROM mms_template WHERE id = %s FOR UPDATE", records.template.pk):
            call = pool.submit(call_wsgi, request({**SEND, "idempotency-key": "k"}))
            eventually(waits_for_lock)
            others.wait("x")
        assert others.admitted.get(timeout=TIMEOUT) == "x"
        answered, _ = wait([call], TIMEOUT)
        others.slots.release("x")
        assert (answered, b"Success" in call.result()) == ({call}, True)
    assert others.slots.free == 1


@contextmanager
def templates_locked() -> Iterator[None]:
    """Block every statement that reads templates."""
    with psycopg.connect(**connection.get_connection_params(), autocommit=False) as other:
        other.execute("LOCK TABLE mms_template IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_client_occupies_only_its_share_of_threads(records: SimpleNamespace) -> None:
    with ThreadPoolExecutor(REQUESTS_MAX + 2) as pool:
        with templates_locked():
            calls = [pool.submit(call_wsgi, request(SEND)) for _ in range(REQUESTS_MAX + 1)]
            refused, waiting = wait(calls, TIMEOUT, FIRST_COMPLETED)
            login = pool.submit(call_wsgi, request({"action": "loginUser", "api-key": KEY}), "127.0.0.2")
            assert b"Success" in login.result(TIMEOUT)
        assert [call.result() for call in refused] == [b"too many of your requests are waiting\n"]
        assert all(b"Success" in call.result(TIMEOUT) for call in waiting)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_costly_requests_wait_only_for_their_own_account(records: SimpleNamespace) -> None:
    other = keys.issue(Account.objects.create(name="Other"))
    listing = request({"action": "getMMSTemplates", "api-key": KEY})
    with ThreadPoolExecutor(COSTLY_MAX + 2) as pool:
        with templates_locked():
            calls = [pool.submit(call_wsgi, listing) for _ in range(COSTLY_MAX + 1)]
            refused, waiting = wait(calls, TIMEOUT, FIRST_COMPLETED)
            login = pool.submit(call_wsgi, request({"action": "loginUser", "api-key": other}))
            assert b"Success" in login.result(TIMEOUT)
        busy = f"{COSTLY_MAX} requests of this account are already waiting; retry when one of them has been answered"
        assert [call.result() for call in refused] == [failure("E113", busy)]
        assert all(b"Success" in call.result(TIMEOUT) for call in waiting)


def test_waiting_requests_of_all_clients_leave_threads_for_probes() -> None:
    """As when the database does not answer any more: nothing that is admitted ends."""
    answering, statuses = Event(), list[str]()

    def application(environ: WSGIEnvironment, _: StartResponse) -> list[bytes]:
        if environ["PATH_INFO"] != "/healthz":
            answering.wait(TIMEOUT)
        return [b"answered"]

    limited = read_body_first(application)

    def start(status: str, *_: object) -> Callable[[bytes], object]:
        statuses.append(status)
        return bytes

    def call(number: int, path: str = "/ep/v1/") -> bytes:
        environ = {"PATH_INFO": path, "REMOTE_ADDR": f"192.0.2.{number}"}
        setup_testing_defaults(environ)
        return b"".join(limited(environ, start))

    with ThreadPoolExecutor(2 * ALL_REQUESTS_MAX) as clients:
        called = [clients.submit(call, number) for number in range(ALL_REQUESTS_MAX + 10)]
        eventually(lambda: len(statuses) == 10)
        assert call(0, "/healthz") == b"answered"
        answering.set()
        answers = [each.result() for each in called]
    assert answers.count(b"answered") == ALL_REQUESTS_MAX
    assert answers.count(b"too many requests are waiting\n") == statuses.count("503 Service Unavailable") == 10


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_reading_accounts_leave_threads_for_accepts(records: SimpleNamespace) -> None:
    listings = [
        request({"action": "getMMSTemplates", "api-key": keys.issue(Account.objects.create(name=f"Reader {number}"))})
        for number in range(4)
    ]
    with ThreadPoolExecutor(4 * COSTLY_MAX + 1) as pool:
        with templates_locked():
            calls = [
                pool.submit(call_wsgi, listing, f"192.0.2.{number}")
                for number, listing in enumerate(listings)
                for _ in range(COSTLY_MAX)
            ]
            eventually(lambda: sum(call.done() for call in calls) == 4 * COSTLY_MAX - ALL_COSTLY_MAX)
            accept = pool.submit(call_wsgi, request(SEND), "192.0.2.99")
        assert b"<status>Success</status>" in accept.result(TIMEOUT)
        answers = [call.result(TIMEOUT) for call in calls]
    refused = sum(b"Too many requests are waiting; retry later" in answer for answer in answers)
    assert refused == 4 * COSTLY_MAX - ALL_COSTLY_MAX


def test_addresses_of_one_ipv6_network_share_a_limit() -> None:
    go = Event()

    class SlowBody:
        def read(self, _: int) -> bytes:
            assert go.wait(TIMEOUT)
            return b""

    def call(address: str, *, slow: bool) -> bytes:
        environ: WSGIEnvironment = {"PATH_INFO": "/ep/v1/", "REMOTE_ADDR": address}
        setup_testing_defaults(environ)
        if slow:
            environ |= {"wsgi.input": SlowBody(), "wsgi.input_terminated": True}
        return b"".join(application(environ, lambda *_: bytes))

    application = read_body_first(lambda *_: [b"answered"])
    with ThreadPoolExecutor(UNFINISHED_MAX + 1) as pool:
        calls = [pool.submit(call, f"2001:db8:1:1::{n:x}", slow=True) for n in range(UNFINISHED_MAX + 1)]
        eventually(lambda: sum(each.done() for each in calls) == 1)
        assert call("2001:db8:1:2::1", slow=False) == b"answered"
        go.set()
    refused = [each.result() for each in calls if b"unfinished" in each.result()]
    assert len(refused) == 1
