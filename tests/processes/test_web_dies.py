"""The web process killed, or its database lost, with requests of customers and of MMSCs in hand."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPException
from types import SimpleNamespace

import psycopg
import pytest
from django.db import connection

from mms.models import Message, Report
from tests.processes.messages import accept, all_told, check_books, number, send, statuses
from tests.processes.platform_under_test import Platform, Process, eventually

CUSTOMERS = 8


def test_what_was_answered_success_before_a_kill_is_stored_and_sent_once(
    world: SimpleNamespace, network: Platform
) -> None:
    web = network.web()
    answered: list[str] = []

    def one(to: str) -> None:
        with suppress(OSError, HTTPException):  # killed in the middle: the customer does not know
            answered.append(send(network, to))

    with ThreadPoolExecutor(CUSTOMERS) as customers:
        burst = [customers.submit(one, number()) for _ in range(400)]
        eventually(lambda: len(answered) >= 30)
        web.kill()
    assert not [customer.exception() for customer in burst if customer.exception()]
    assert set(answered) <= {message.tracking_id for message in Message.objects.all()}
    assert len(answered) <= Message.objects.count() <= len(answered) + CUSTOMERS
    network.worker("flow,postbacks", children=2)
    network.beat()
    network.web()
    eventually(all_told)
    assert statuses() == {"delivered": Message.objects.count()}
    check_books(network)


@contextmanager
def reports_locked() -> Iterator[Callable[[], int]]:
    """Nobody can store a report meanwhile; gives the id of the database's process that waits to, 0 while none does."""
    waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'mms_report'::regclass"
    with psycopg.connect(**connection.get_connection_params(), autocommit=False) as other:
        other.execute("LOCK TABLE mms_report IN SHARE MODE")
        yield lambda: next((pid for (pid,) in other.execute(waiting)), 0)


def terminate_backend(web: Process, network: Platform, pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


def kill_web(web: Process, network: Platform, pid: int) -> None:
    web.kill()


# Who lost a connection alone tries it once more before the MMSC has to.
@pytest.mark.parametrize(("strike", "sent_again"), [(kill_web, True), (terminate_backend, False)])
def test_a_report_that_could_not_be_stored_is_tried_again_and_applied_once(
    world: SimpleNamespace, network: Platform, strike: Callable[[Process, Platform, int], None], sent_again: bool
) -> None:
    network.worker("flow,postbacks", children=2)
    web = network.web()
    message = accept(world, number())
    with reports_locked() as waiting:
        network.wake()
        strike(web, network, eventually(waiting))
    if not web.runs():
        network.web()
    network.wake("mms.notify", "postbacks")
    eventually(lambda: network.seen("report"))
    assert (network.seen("report")[0]["http_status"], network.seen("report")[0]["attempts"] > 1) == (200, sent_again)
    eventually(all_told)
    assert Report.objects.get().attempt == message.attempts.get()
    assert [*message.events.values_list("kind", flat=True)] == ["accepted", "adapted", "submitted", "delivered"]
    check_books(network)
