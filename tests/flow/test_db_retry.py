"""Results are stored despite a restart of the database, and independently of each other."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.db import connection

from mms.models import Message, Postback
from mms.postbacks import outbox
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers, postback_codes

Send = Callable[..., Message]

# The server ends the connection at this step, once, as a restart would.
CREATE_TRIGGER = """
CREATE SEQUENCE deaths;
CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('deaths') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER die BEFORE {step} ON {table} FOR EACH ROW EXECUTE FUNCTION die();
"""
DROP_TRIGGER = "DROP TRIGGER die ON {table}; DROP FUNCTION die(); DROP SEQUENCE deaths"

REFUSE_M2 = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON mms_attempt FOR EACH ROW WHEN (NEW.mmsc_id = 'M2') EXECUTE FUNCTION refuse();
"""


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@contextmanager
def connection_ends_once(step: str, table: str) -> Iterator[None]:
    execute(CREATE_TRIGGER.format(step=step, table=table))
    try:
        yield
    finally:
        execute(DROP_TRIGGER.format(table=table))


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("table", ["mms_attempt", "mms_postbackattempt"])
def test_result_is_stored_after_a_database_restart(
    records: SimpleNamespace,
    send: Send,
    run_workers: RunWorkers,
    mmsc: ScriptedServer,
    customer: ScriptedServer,
    table: str,
) -> None:
    message = send()
    with connection_ends_once("UPDATE", table):
        run_workers()
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("submitted", ["N101"])
    assert Postback.objects.get().status == Postback.Status.DELIVERED
    assert (len(mmsc.received), len(customer.received)) == (1, 1)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_notifier_survives_a_database_restart_before_sending(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, customer: ScriptedServer
) -> None:
    send()
    with connection_ends_once("INSERT", "mms_postbackattempt"):
        run_workers()
    assert customer.received == []
    run_workers(datetime.now(UTC) + outbox.LEASE)
    assert Postback.objects.get().status == Postback.Status.DELIVERED
    assert len(customer.received) == 1


def test_unstorable_result_does_not_affect_the_others(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    execute(REFUSE_M2)
    messages = [send() for _ in range(3)]
    run_workers()
    found = dict(Message.objects.values_list("attempts__mmsc_id", "status"))
    assert found == {"M1": "submitted", "": "sending", "M3": "submitted"}
    assert len(mmsc.received) == len(messages)
