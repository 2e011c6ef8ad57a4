"""Time slices: a task ends after its slice even if more is due, so that queued tasks can run."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from billing.models import Account
from mms.encoding import worker
from mms.messages import sender
from mms.models import Message, Postback
from mms.postbacks import notifier
from mms.runtime import wakeup
from mms.runtime.http_client import Purpose, Request
from mms.runtime.in_flight import InFlight
from mms.runtime.time_slice import LENGTH, TimeSlice
from tests.flow.media import Save
from tests.processes.platform_under_test import eventually
from tests.scripted import Response, ScriptedServer, serving

Send = Callable[..., Message]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
# The clock advances by one tick at each reading. The loops must end within ten slices.
TICK = timedelta(seconds=5)
MAX_READINGS = 10 * LENGTH / TICK


def create_due_postback(account: Account) -> None:
    Postback.objects.create(account=account, code="N101", fields={}, due_at=NOW, created_at=NOW)


def test_sender_ends_although_messages_keep_arriving(send: Send, mmsc: ScriptedServer) -> None:
    readings: list[Message] = []

    def clock() -> datetime:
        readings.append(send())
        assert len(readings) < MAX_READINGS
        return datetime.now(UTC) + len(readings) * TICK

    sender.run(clock)
    assert {message.status for message in Message.objects.all()} == {"submitted", "accepted"}


def test_notifier_ends_although_postbacks_keep_arriving(records: SimpleNamespace, customer: ScriptedServer) -> None:
    readings = 0

    def clock() -> datetime:
        nonlocal readings
        create_due_postback(records.account)
        readings += 1
        assert readings < MAX_READINGS
        return NOW + readings * TICK

    notifier.run(clock)
    delivered = Postback.objects.filter(status="taken").count()
    assert delivered == len(customer.received) > 0
    assert Postback.objects.filter(status="pending", tries=0).exists()


@pytest.mark.parametrize(
    ("task", "run"),
    [(wakeup.WORK, sender.run), (wakeup.NOTIFY, notifier.run), (wakeup.ENCODE, worker.run)],
)
def test_expired_slice_starts_a_successor_and_claims_no_more(
    records: SimpleNamespace, send: Send, save: Save, mmsc: ScriptedServer, customer: ScriptedServer,
    task: str, run: Callable[[Callable[[], datetime]], None],
) -> None:  # fmt: skip
    send()
    save("audio")
    create_due_postback(records.account)
    moments = iter([datetime.now(UTC)])
    with wakeup.connection() as broker:
        broker.delete(wakeup.QUEUES[task], f"pending:{task}")
        run(lambda: next(moments, datetime.now(UTC) + LENGTH))
        assert broker.llen(wakeup.QUEUES[task]) == 1
    assert (mmsc.received, customer.received) == ([], [])


def test_slice_serves_prompt_servers_until_the_slow_one_replies() -> None:
    moment = NOW
    with serving(Response()) as hanging, InFlight[str](4, Purpose.POSTBACK) as in_flight:
        hanging.answering.clear()
        time_slice = TimeSlice(in_flight, lambda: moment, {"hanging": 1, "prompt": 2}.__getitem__)
        in_flight.launch("hanging", Request(hanging.url, b"", {}, 10))
        eventually(lambda: in_flight.slow_keys == ["hanging"])
        assert not time_slice.over()
        assert not time_slice.excluded
        moment += LENGTH
        with serving(Response()) as prompt:
            in_flight.launch("prompt", Request(prompt.url, b"", {}, 10))
            assert not time_slice.over()
            assert time_slice.excluded == {1}
            hanging.answering.set()
            eventually(lambda: in_flight.completed(0.01) and "hanging" not in in_flight.keys)
        assert time_slice.over()


def test_excluded_account_is_not_claimed(records: SimpleNamespace, customer: ScriptedServer) -> None:
    create_due_postback(records.account)
    loop = notifier.send_loop(lambda: NOW)
    with loop.in_flight:
        loop.time_slice.excluded = frozenset({records.account.pk})
        assert loop.claim() == 0
        loop.time_slice.excluded = frozenset()
        assert loop.claim() == 1
