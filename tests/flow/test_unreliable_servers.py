"""Customers' servers with hanging name servers or truncated replies."""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from django.utils import timezone

from billing.models import Account
from mms.models import Message, Postback
from mms.postbacks import notifier, outbox
from tests.api.sockets import respond_with, tcp_server
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers

Send = Callable[..., Message]

HANGING = 40  # more than the threads of a default executor


@pytest.fixture
def names_hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the name lookup of *.hanging.example hang, and resolve all other names to this machine."""
    released, real = threading.Event(), socket.getaddrinfo

    def resolve(host: str, *arguments: object, **options: object) -> object:
        if host.endswith(".hanging.example"):
            released.wait(10)
        return real("127.0.0.1", *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    yield
    released.set()


def create_due_postback(account: Account) -> Postback:
    now = timezone.now()
    return Postback.objects.create(account=account, code="N003", fields={"code": "N003"}, due_at=now, created_at=now)


def test_hanging_name_servers_do_not_block_other_accounts(
    records: SimpleNamespace, customer: ScriptedServer, names_hang: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "TIMEOUT", 1.0)
    for number in range(HANGING):
        create_due_postback(Account.objects.create(name=f"{number}", postback_url=f"http://{number}.hanging.example/"))
    Account.objects.filter(pk=records.account.pk).update(
        postback_url=customer.url.replace("127.0.0.1", "prompt.example")
    )
    create_due_postback(Account.objects.get(pk=records.account.pk))
    loop = notifier.send_loop(limits=replace(notifier.LIMITS, in_flight=HANGING + 1))
    with loop.in_flight:
        while loop.claim():
            pass
        while loop.in_flight.keys:
            loop.settle(1.0)
    delivered = Postback.objects.get(status=Postback.Status.DELIVERED)
    assert (delivered.account, len(customer.received)) == (records.account, 1)


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nThank you", "Thank you"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nThank\r\n", "Thank"),
    ],
)
def test_http_200_with_a_truncated_body_counts(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, answer: bytes, kept: str
) -> None:
    with tcp_server(respond_with(answer)) as server:
        Account.objects.update(postback_url=server.url)
        send()
        run_workers()
    postback = Postback.objects.get(code="N101")
    attempt = postback.attempts.get()
    assert (postback.status, attempt.http_status, attempt.answer) == ("taken", 200, kept)


def test_http_500_with_a_truncated_body_is_retried(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers
) -> None:
    with tcp_server(respond_with(b"HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\nNo")) as server:
        Account.objects.update(postback_url=server.url)
        send()
        run_workers()
    assert [a.http_status for a in Postback.objects.get(status="pending").attempts.all()] == [500]
