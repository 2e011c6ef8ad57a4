"""The ledger stays consistent, and no reservation remains, when processes are killed between any two steps."""

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
from tests.processes.messages import accept, make_older, number, send, statuses
from tests.processes.platform_under_test import Platform, StuckFile, eventually
from tests.scripted import ScriptedServer

PRICE = 30_000


def money() -> tuple[int, int]:
    """Return how many messages are charged, and how many are reserved."""
    assert ledger.reconcile() == []
    balance = Balance.objects.get()
    return -balance.balance // PRICE, balance.reserved // PRICE


@pytest.fixture
def priced(records: SimpleNamespace, platform: Platform) -> SimpleNamespace:
    """A price for MMS, and an account with credit for 1,000."""
    records.carrier.timeout = 60
    records.carrier.save()
    records.account.credit_limit = 1000 * PRICE
    records.account.save()
    Price.objects.create(message_class="mms", amount=PRICE)
    return records


def test_sweep_settles_the_ledger_after_worker_kill(
    priced: SimpleNamespace, platform: Platform, mmsc: ScriptedServer
) -> None:
    mmsc.answering.clear()
    for _ in range(4):
        accept(priced, number())
    worker = platform.worker()
    platform.wake()
    eventually(lambda: len(mmsc.received) == 4)
    with StuckFile(Path(Rendition.objects.get().file.path)) as picture:
        with transaction.atomic():  # in one transaction, because the worker would be blocked by the first one
            for _ in range(4):
                accept(priced, number())
        eventually(lambda: statuses()[Status.SENDING] == 8)
        eventually(picture.is_read)
        worker.kill()
    assert money() == (0, 8)
    mmsc.answering.set()
    make_older(leases.LEASE)
    platform.worker()
    platform.wake()
    eventually(lambda: statuses() == {"in_doubt": 4, "submitted": 4})
    assert money() == (4, 4)
    make_older(timedelta(days=4))
    platform.wake()
    eventually(lambda: statuses() == {"failed": 4, "expired": 4})
    assert money() == (4, 0)
    assert Counter(LedgerEntry.objects.values_list("kind", flat=True)) == {"reserve": 8, "settle": 4, "release": 4}


def test_web_kill_leaves_a_reservation_per_stored_message(priced: SimpleNamespace, platform: Platform) -> None:
    web = platform.web()
    with ThreadPoolExecutor(8) as customers:
        sending = [customers.submit(send_until_refused, platform) for _ in range(8)]
        eventually(lambda: Message.objects.count() > 40)
        web.kill()
        acknowledged = sum(customer.result() for customer in sending)
    eventually(all_backends_are_idle)
    stored = Message.objects.count()
    assert acknowledged <= stored <= acknowledged + 8
    assert money() == (0, stored)
    messages = Message.objects.values_list("pk", flat=True)
    assert set(LedgerEntry.objects.values_list("message", flat=True)) == set(messages)


def send_until_refused(platform: Platform) -> int:
    """Send messages until the server is killed. Return how many it acknowledged."""
    acknowledged = 0
    with suppress(OSError, HTTPException):
        while True:
            send(platform, number())
            acknowledged += 1
    return acknowledged


def all_backends_are_idle() -> bool:
    """Return whether the database has finished the statements of the killed server."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
        )
        return bool(cursor.fetchone() == (0,))
