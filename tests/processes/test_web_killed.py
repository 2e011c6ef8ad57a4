"""The web process is killed, or loses its database, while it handles requests."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPException
from types import SimpleNamespace

import psycopg
import pytest
from django.db import connection

from mms.models import Message, Report
from tests.processes.messages import accept, all_delivered, check_consistency, number, send, statuses
from tests.processes.platform_under_test import Platform, Process, eventually

CUSTOMERS = 8


def test_acknowledged_messages_survive_web_kill(records: SimpleNamespace, network: Platform) -> None:
    web = network.web()
    answered: list[str] = []

    def one(to: str) -> None:
        with suppress(OSError, HTTPException):  # killed before the answer: the outcome is unknown
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
    eventually(all_delivered)
    assert statuses() == {"delivered": Message.objects.count()}
    check_consistency(network)


@contextmanager
def reports_locked() -> Iterator[Callable[[], int]]:
    """Block inserts of reports; yield a function that returns the pid of the blocked backend, or 0."""
    waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'mms_report'::regclass"
    with psycopg.connect(**connection.get_connection_params(), autocommit=False) as other:
        other.execute("LOCK TABLE mms_report IN SHARE MODE")
        yield lambda: next((pid for (pid,) in other.execute(waiting)), 0)


def terminate_backend(web: Process, network: Platform, pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


def kill_web(web: Process, network: Platform, pid: int) -> None:
    web.kill()


# A web process that lost only its connection retries, so the MMSC need not.
@pytest.mark.parametrize(("fail", "sent_again"), [(kill_web, True), (terminate_backend, False)])
def test_unstored_report_is_retried_and_applied_once(
    records: SimpleNamespace, network: Platform, fail: Callable[[Process, Platform, int], None], sent_again: bool
) -> None:
    network.worker("flow,postbacks", children=2)
    web = network.web()
    message = accept(records, number())
    with reports_locked() as waiting:
        network.wake()
        fail(web, network, eventually(waiting))
    if not web.is_running():
        network.web()
    network.wake("mms.notify", "postbacks")
    eventually(lambda: network.simulator_log("report"))
    assert (network.simulator_log("report")[0]["http_status"], network.simulator_log("report")[0]["attempts"] > 1) == (
        200,
        sent_again,
    )
    eventually(all_delivered)
    assert Report.objects.get().attempt == message.attempts.get()
    assert [*message.events.values_list("kind", flat=True)] == ["accepted", "adapted", "submitted", "delivered"]
    check_consistency(network)
