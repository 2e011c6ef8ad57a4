"""Workers that are killed between any two steps leave books that add up, and nothing reserved for ever."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection, transaction

from billing import ledger
from billing.models import Balance, LedgerEntry, Price
from mms.messages import leases
from mms.models import Message, Rendition, Status
from tests.processes.messages import accept, age, number, send, statuses
from tests.processes.platform_under_test import Platform, StuckFile, eventually
from tests.scripted import Scripted

PRICE = 30_000


def money() -> tuple[int, int]:
    """What was settled, and what is reserved, in messages."""
    assert ledger.reconcile() == []
    balance = Balance.objects.get()
    return -balance.balance // PRICE, balance.reserved // PRICE


@pytest.fixture
def priced(world: SimpleNamespace, platform: Platform) -> SimpleNamespace:
    """An MMS has a price, and the account a credit of 1,000."""
    world.carrier.timeout = 60
    world.carrier.save()
    world.account.credit_limit = 1000 * PRICE
    world.account.save()
    Price.objects.create(message_class="mms", amount=PRICE)
    return world


def test_a_killed_worker_leaves_books_that_the_sweep_completes(
    priced: SimpleNamespace, platform: Platform, mmsc: Scripted
) -> None:
    mmsc.gate.clear()
    for _ in range(4):
        accept(priced, number())
    worker = platform.worker()
    platform.wake()
    eventually(lambda: len(mmsc.received) == 4)
    with StuckFile(Path(Rendition.objects.get().file.path)) as picture:
        with transaction.atomic():  # all at once, or the worker is held up by the first of them
            for _ in range(4):
                accept(priced, number())
        eventually(lambda: statuses()[Status.SENDING] == 8)
        eventually(picture.is_read)
        worker.kill()
    assert money() == (0, 8)
    mmsc.gate.set()
    age(leases.LEASE)
    platform.worker()
    platform.wake()
    eventually(lambda: statuses() == {"in_doubt": 4, "submitted": 4})
    assert money() == (4, 4)
    age(timedelta(days=4))
    platform.wake()
    eventually(lambda: statuses() == {"failed": 4, "expired": 4})
    assert money() == (4, 0)
    assert Counter(LedgerEntry.objects.values_list("kind", flat=True)) == {"reserve": 8, "settle": 4, "release": 4}


def test_a_web_server_killed_among_accepts_has_reserved_for_each_message_that_it_stored(
    priced: SimpleNamespace, platform: Platform
) -> None:
    web = platform.web()
    with ThreadPoolExecutor(8) as customers:
        sending = [customers.submit(send_until_refused, platform) for _ in range(8)]
        eventually(lambda: Message.objects.count() > 40)
        web.kill()
        told = sum(customer.result() for customer in sending)
    eventually(nobody_else_is_at_work)
    stored = Message.objects.count()
    assert told <= stored <= told + 8
    assert money() == (0, stored)
    messages = Message.objects.values_list("pk", flat=True)
    assert set(LedgerEntry.objects.values_list("message", flat=True)) == set(messages)


def send_until_refused(platform: Platform) -> int:
    """Sends message after message until the server is gone; how many it was told of."""
    told = 0
    with suppress(OSError, HTTPException):
        while True:
            send(platform, number())
            told += 1
    return told


def nobody_else_is_at_work() -> bool:
    """Whether the killed server's connections have ended."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
        )
        return bool(cursor.fetchone() == (0,))
