"""Workers that want one message's postbacks at the same moment, and postbacks that wait for an earlier one."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from django.db import connection

from mms.models import Message, Postback
from mms.postbacks import outbox
from mms.runtime.http_client import Reply
from tests.processes.messages import accept, number
from tests.processes.platform_under_test import eventually

T = TypeVar("T")

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TAKEN = Reply(200, "", b"", 0.1)


def postback(message: Message, code: str, due_at: datetime) -> Postback:
    fields = {"code": code}
    return Postback.objects.create(
        account=message.account, message=message, code=code, fields=fields, due_at=due_at, created_at=NOW
    )


@pytest.mark.django_db
def test_postbacks_that_must_wait_hide_none_that_is_ready(world: SimpleNamespace) -> None:
    """As after an outage of the customer's server: many first postbacks are to be tried again later."""
    for _ in range(20):
        message = accept(world, number())
        postback(message, "N501", NOW + outbox.RETRY_LADDER[0])
        postback(message, "N101", NOW - timedelta(seconds=1))
    ready = postback(accept(world, number()), "N101", NOW)
    assert [parcel.postback for parcel in outbox.claim(NOW, 8)] == [ready]


@pytest.mark.usefixtures("transactional_db", "django_db_serialized_rollback")
def test_a_postback_that_is_put_off_while_the_one_before_it_is_taken_is_due_at_once(world: SimpleNamespace) -> None:
    message = accept(world, number())
    first, second = (postback(message, code, NOW) for code in ("N501", "N101"))
    (parcel,) = outbox.claim(NOW, 1)
    assert parcel.postback == first
    found_blocked, go_on = threading.Event(), threading.Event()

    def pause_after_putting_off(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if sql == outbox.POSTPONE:
            found_blocked.set()
            go_on.wait(timeout=30)
        return result

    def claim() -> list[outbox.ClaimedPostback]:
        with connection.execute_wrapper(pause_after_putting_off):
            return outbox.claim(NOW, 8)

    with ThreadPoolExecutor() as workers:
        claimed = workers.submit(own_connection, claim)
        assert found_blocked.wait(timeout=30)
        settled = workers.submit(own_connection, lambda: outbox.settle([(parcel, TAKEN)], NOW))
        eventually(lambda: settled.done() or someone_waits_for_a_lock())
        go_on.set()
    parcels = claimed.result() or outbox.claim(NOW, 8)
    assert [parcel.postback for parcel in parcels] == [second]


def own_connection(work: Callable[[], T]) -> T:
    """Does it in a thread, and gives the thread's connection back."""
    try:
        return work()
    finally:
        connection.close()


def someone_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])
