"""Many customers' connections on one account at the same moment, over real HTTP: nothing is overdrawn."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from pytest_django.live_server_helper import LiveServer

from billing import ledger
from billing.models import Balance, LedgerEntry, Price
from mms.models import Message
from tests.api.documents import SEND, request

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

CONNECTIONS, REQUESTS_EACH, COVERED = 32, 4, 50
PRICE = 30_000


def test_32_connections_with_funds_for_exactly_n_messages_are_given_exactly_n(
    world: SimpleNamespace, live_server: LiveServer
) -> None:
    Price.objects.create(message_class="mms", amount=PRICE)
    ledger.top_up(world.account, COVERED * PRICE, "", datetime.now(UTC))
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        customers = [pool.submit(send, live_server.url, customer) for customer in range(CONNECTIONS)]
        answers = [answer for customer in customers for answer in customer.result()]
    accepted = [answer for answer in answers if b"<status>Success</status>" in answer]
    refused = [answer for answer in answers if b"<error-code>E713</error-code>" in answer]
    assert (len(accepted), len(refused)) == (COVERED, CONNECTIONS * REQUESTS_EACH - COVERED)
    assert Message.objects.count() == LedgerEntry.objects.filter(kind="reserve").count() == COVERED
    balance = Balance.objects.get()
    assert (balance.balance, balance.reserved) == (COVERED * PRICE, COVERED * PRICE)
    assert ledger.prove() == []


def send(url: str, customer: int) -> list[bytes]:
    """The answers to this customer's requests, one after the other on one connection."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    answers = []
    for number in range(REQUESTS_EACH):
        connection.request("POST", "/ep/v1/", request({**SEND, "to": f"1404479{customer:02}{number:02}"}))
        answers.append(connection.getresponse().read())
    connection.close()
    return answers
