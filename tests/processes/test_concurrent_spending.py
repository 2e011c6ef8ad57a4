"""Concurrent requests of one account over two web processes never overdraw it."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from types import SimpleNamespace

import psutil  # type: ignore[import-untyped]

from billing import ledger
from billing.models import Balance, LedgerEntry, Price
from config.embedded.ports import HOST
from mms.models import Message
from tests.processes.messages import request
from tests.processes.platform_under_test import Platform

CONNECTIONS, REQUESTS_EACH, COVERED = 32, 2, 40
PRICE = 30_000


def test_concurrent_requests_never_overdraw_the_account(records: SimpleNamespace, platform: Platform) -> None:
    Price.objects.create(message_class="mms", amount=PRICE)
    ledger.top_up(records.account, COVERED * PRICE, "", datetime.now(UTC))
    web = platform.web(workers=2)
    with ExitStack() as opened, ThreadPoolExecutor(CONNECTIONS) as customers:
        connections = [
            opened.enter_context(closing(HTTPConnection(HOST, platform.web_port, timeout=60)))
            for _ in range(CONNECTIONS)
        ]
        outcomes = Counter(outcome for each in customers.map(send, range(CONNECTIONS), connections) for outcome in each)
        assert len([child for child in web.children() if serves(child, platform.web_port)]) == 2
    assert outcomes == {"Success": COVERED, "E713": CONNECTIONS * REQUESTS_EACH - COVERED}
    messages = set(Message.objects.values_list("pk", flat=True))
    assert len(messages) == COVERED
    assert set(LedgerEntry.objects.filter(kind="reserve").values_list("message", flat=True)) == messages
    balance = Balance.objects.get()
    assert (balance.balance, balance.reserved) == (COVERED * PRICE, COVERED * PRICE)
    assert ledger.reconcile() == []


def send(customer: int, connection: HTTPConnection) -> list[str]:
    """Send requests on one connection. Return the outcome of each: Success or an error code."""
    outcomes = []
    for number in range(REQUESTS_EACH):
        connection.request("POST", "/ep/v1/", request(f"1404479{customer:02}{number:02}"))
        answer = connection.getresponse().read().decode()
        code = answer.partition("<error-code>")[2].partition("<")[0]
        outcomes.append(code or answer.partition("<status>")[2].partition("<")[0])
    return outcomes


def serves(process: psutil.Process, port: int) -> bool:
    """Return whether a client is connected to the process at this port."""
    return any(
        connection.status == psutil.CONN_ESTABLISHED and connection.laddr.port == port
        for connection in process.net_connections("tcp4")
    )
