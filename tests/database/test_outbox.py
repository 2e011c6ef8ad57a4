"""The outbox: postbacks that wait for an earlier one, and concurrent workers on the postbacks of one message."""

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
OK = Reply(200, "", b"", 0.1)


def postback(message: Message, code: str, due_at: datetime) -> Postback:
    fields = {"code": code}
    return Postback.objects.create(
        account=message.account, message=message, code=code, fields=fields, due_at=due_at, created_at=NOW
    )


@pytest.mark.django_db
def test_blocked_postbacks_do_not_hide_a_ready_one(records: SimpleNamespace) -> None:
    """As after an outage of the customer's server, when many first postbacks wait for their retry."""
    for _ in range(20):
        message = accept(records, number())
        postback(message, "N501", NOW + outbox.RETRY_SCHEDULE[0])
        postback(message, "N101", NOW - timedelta(seconds=1))
    ready = postback(accept(records, number()), "N101", NOW)
    assert [claimed.postback for claimed in outbox.claim(NOW, 8)] == [ready]


@pytest.mark.usefixtures("transactional_db", "django_db_serialized_rollback")
def test_postback_postponed_during_a_settle_is_due_at_once(records: SimpleNamespace) -> None:
    message = accept(records, number())
    first, second = (postback(message, code, NOW) for code in ("N501", "N101"))
    (claimed_first,) = outbox.claim(NOW, 1)
    assert claimed_first.postback == first
    postponed, proceed = threading.Event(), threading.Event()

    def pause_after_postponing(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if sql == outbox.POSTPONE:
            postponed.set()
            proceed.wait(timeout=30)
        return result

    def claim() -> list[outbox.ClaimedPostback]:
        with connection.execute_wrapper(pause_after_postponing):
            return outbox.claim(NOW, 8)

    with ThreadPoolExecutor() as workers:
        claim_again = workers.submit(with_own_connection, claim)
        assert postponed.wait(timeout=30)
        settled = workers.submit(with_own_connection, lambda: outbox.settle([(claimed_first, OK)], NOW))
        eventually(lambda: settled.done() or has_lock_waits())
        proceed.set()
    claimed_next = claim_again.result() or outbox.claim(NOW, 8)
    assert [claimed.postback for claimed in claimed_next] == [second]


def with_own_connection(work: Callable[[], T]) -> T:
    """Do the work in the current thread, and close its database connection."""
    try:
        return work()
    finally:
        connection.close()


def has_lock_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])
