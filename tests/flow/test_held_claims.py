"""A row that another transaction holds delays the messages that need it, and no other message of their claim."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import psycopg
import pytest
from django.db import OperationalError, connection

from base import sql
from billing import ledger
from billing.models import Balance, LedgerEntry
from mms.messages import claiming, sender, sweeper
from mms.models import Carrier, Discovery, Message
from tests.processes.rows import PRICE, create_other_customer, held, held_balance
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


@pytest.mark.parametrize("status", ["submitted", "in_doubt", "encoding"])
def test_held_balance_delays_only_its_own_expiries(
    records: SimpleNamespace, send: Send, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setattr(sweeper, "BATCH", 2)  # fewer than the rows of the account whose balance is held
    stuck, other = expire_one_of_each(records, send)
    Message.objects.update(status=status, due_at=later(seconds=-1))
    with held_balance(records.account):
        sweeper.sweep(later())
        check_ended(stuck, other)
    sweeper.sweep(later())
    assert (Message.objects.filter(due_at=None).count(), ledger.reconcile()) == (4, [])


def test_held_balance_delays_only_its_own_failures(
    records: SimpleNamespace, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The carrier is disabled until the messages have expired."""
    monkeypatch.setattr(sweeper, "BATCH", 2)
    stuck, other = expire_one_of_each(records, send)
    Carrier.objects.update(enabled=False)
    with held_balance(records.account):
        sweeper.fail_expired_at_disabled_carriers(later(days=9))
        check_ended(stuck, other)
    sweeper.fail_expired_at_disabled_carriers(later(days=9))
    assert (Message.objects.filter(status="failed").count(), ledger.reconcile()) == (4, [])


def expire_one_of_each(records: SimpleNamespace, send: Send) -> tuple[list[Message], Message]:
    """Return three messages of the first account, and a later one of another."""
    other = create_other_customer(records).account
    stuck, last = [send(to=number(index)) for index in range(3)], send(to=number(3))
    Message.objects.filter(pk=last.pk).update(account=other)
    LedgerEntry.objects.filter(message=last.pk).update(account=other)
    Balance.objects.filter(account=records.account).update(reserved=3 * PRICE)
    Balance.objects.filter(account=other).update(reserved=PRICE)
    return stuck, last


def check_ended(stuck: list[Message], other: Message) -> None:
    """Check that the message of the other account has ended, and no other one."""
    assert list(Message.objects.filter(due_at=None)) == [other]
    assert Message.objects.exclude(due_at=None).count() == len(stuck)


def test_failing_claim_releases_its_rows(records: SimpleNamespace, send: Send) -> None:
    """The block list cannot be read in time."""
    message = send()
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("LOCK TABLE billing_blockednumber")
        with sql.brief_lock_waits(0.1), pytest.raises(OperationalError):
            claiming.claim_messages(later(seconds=1), 10)
    message.refresh_from_db()
    assert (message.status, message.losses) == ("accepted", 0)
