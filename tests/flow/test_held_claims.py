"""A row that another transaction holds delays the messages that need it, and no other message of their claim."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import psycopg
import pytest
from django.db import OperationalError, connection

from base import sql
from mms.messages import claiming, sender
from mms.models import Discovery, Message
from tests.processes.rows import held
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers

Send = Callable[..., Message]

DDM = "<ddm-message-text>What is your telephone?</ddm-message-text>"
HELD = "SELECT FROM mms_discovery WHERE id = %s FOR UPDATE"

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def later(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)


def number(index: int) -> str:
    return f"1404479000{index}"


def test_held_discovery_delays_only_its_messages(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    send(DDM, to=number(0))
    run_workers()  # the DDM is in flight
    stuck = [send(DDM, to=number(0)), send(DDM, to=number(0))]
    free, waits = [send(to=number(index)) for index in range(1, 6)], send(DDM, to=number(6))
    with held(HELD, Discovery.objects.get().pk):
        sender.run()
    states = Message.objects.values_list("status", "losses")
    assert set(states.filter(pk__in=[message.pk for message in free])) == {("submitted", 0)}
    assert states.get(pk=waits.pk) == ("discovering", 0)
    assert set(states.filter(pk__in=[message.pk for message in stuck])) == {("accepted", 0)}
    run_workers(later(seconds=31))
    assert set(states.filter(pk__in=[message.pk for message in stuck])) == {("discovering", 0)}
    assert (len(mmsc.received), Discovery.objects.count()) == (7, 2)


def test_failing_claim_releases_its_rows(records: SimpleNamespace, send: Send) -> None:
    """The block list cannot be read in time."""
    message = send()
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("LOCK TABLE billing_blockednumber")
        with sql.brief_lock_waits(0.1), pytest.raises(OperationalError):
            claiming.claim_messages(later(seconds=1), 10)
    message.refresh_from_db()
    assert (message.status, message.losses) == ("accepted", 0)
