"""Held replies outlast the connection on which they are recorded."""

from collections.abc import Sequence

import psycopg
import pytest
from django.db import connection

from base import sql
from mms.runtime import db_retry, held_replies
from mms.runtime.held_replies import LOCK_WAIT, HeldReplies

LOCK = 7  # stands for the row of an account


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("schedule", [db_retry.RETRY_SCHEDULE, ()])
def test_held_replies_are_recorded_on_a_new_connection(
    monkeypatch: pytest.MonkeyPatch, schedule: tuple[float, ...]
) -> None:
    """The limit of the waits for locks holds there, too."""
    monkeypatch.setattr(db_retry, "RETRY_SCHEDULE", schedule)
    monkeypatch.setattr(held_replies, "RETRY_EVERY", 0.0)
    recorded: list[tuple[str, str]] = []

    def write(replies: Sequence[str]) -> None:
        sql.fetch_rows("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        ((limit,),) = sql.fetch_rows("SELECT current_setting('lock_timeout')", [])
        recorded.extend((reply, limit) for reply in replies)

    held, parameters = HeldReplies(), {**connection.get_connection_params(), "options": ""}
    with psycopg.connect(**parameters, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        with sql.brief_lock_waits(LOCK_WAIT):
            held.write(["reply"], write, lambda _: "account")
        ((server,),) = sql.fetch_rows("SELECT pg_backend_pid()", [])
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [server])
    held.finish()
    connection.close()
    assert recorded == [("reply", f"{LOCK_WAIT * 1000:.0f}ms")]
