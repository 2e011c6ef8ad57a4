"""Tasks end after their shift, however much is due: others wait in their queue."""

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
from mms.runtime.http_client import Request
from mms.runtime.in_flight import InFlight
from mms.runtime.time_slice import LENGTH, TimeSlice
from tests.flow.media import Save
from tests.processes.platform_under_test import eventually
from tests.scripted import Say, Scripted, serving

Send = Callable[..., Message]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
# Whoever looks at the clock makes it go on by so much. Ten shifts are enough.
TICK = timedelta(seconds=5)
ENOUGH = 10 * LENGTH / TICK


def due(account: Account) -> None:
    Postback.objects.create(account=account, code="N101", fields={}, due_at=NOW, created_at=NOW)


def test_a_worker_that_never_runs_out_of_messages_ends_with_what_it_has(send: Send, mmsc: Scripted) -> None:
    looks: list[Message] = []

    def clock() -> datetime:
        looks.append(send())
        assert len(looks) < ENOUGH
        return datetime.now(UTC) + len(looks) * TICK

    sender.run(clock)
    assert {message.status for message in Message.objects.all()} == {"submitted", "accepted"}


def test_a_notifier_that_never_runs_out_of_postbacks_ends_with_what_it_has(
    world: SimpleNamespace, customer: Scripted
) -> None:
    looks = 0

    def clock() -> datetime:
        nonlocal looks
        due(world.account)
        looks += 1
        assert looks < ENOUGH
        return NOW + looks * TICK

    notifier.run(clock)
    taken = Postback.objects.filter(status="taken").count()
    assert taken == len(customer.received) > 0
    assert Postback.objects.filter(status="pending", tries=0).exists()


@pytest.mark.parametrize(
    ("task", "run"),
    [(wakeup.WORK, sender.run), (wakeup.NOTIFY, notifier.run), (wakeup.ENCODE, worker.run)],
)
def test_who_ends_a_shift_rings_for_the_next_and_takes_on_nothing_more(
    world: SimpleNamespace, send: Send, save: Save, mmsc: Scripted, customer: Scripted,
    task: str, run: Callable[[Callable[[], datetime]], None],
) -> None:  # fmt: skip
    send()
    save("audio")
    due(world.account)
    moments = iter([datetime.now(UTC)])
    with wakeup.connection() as broker:
        broker.delete(wakeup.QUEUES[task], f"pending:{task}")
        run(lambda: next(moments, datetime.now(UTC) + LENGTH))
        assert broker.llen(wakeup.QUEUES[task]) == 1
    assert (mmsc.received, customer.received) == ([], [])


def test_who_answers_is_served_on_until_what_hangs_has_landed() -> None:
    moment = NOW
    with serving(Say()) as hanging, InFlight[str](limit=4) as flight:
        hanging.gate.clear()
        shift = TimeSlice(flight, lambda: moment, {"hanging": 1, "prompt": 2}.__getitem__)
        flight.launch("hanging", Request(hanging.url, b"", {}, 10))
        eventually(lambda: flight.slow_keys == ["hanging"])
        assert not shift.over()
        assert not shift.excluded
        moment += LENGTH
        with serving(Say()) as prompt:
            flight.launch("prompt", Request(prompt.url, b"", {}, 10))
            assert not shift.over()
            assert shift.excluded == {1}
            hanging.gate.set()
            eventually(lambda: flight.completed(0.01) and "hanging" not in flight.keys)
        assert shift.over()


def test_an_account_that_is_excluded_is_left_out(world: SimpleNamespace, customer: Scripted) -> None:
    due(world.account)
    loop = notifier.send_loop(lambda: NOW)
    with loop.in_flight:
        loop.time_slice.excluded = frozenset({world.account.pk})
        assert loop.claim() == 0
        loop.time_slice.excluded = frozenset()
        assert loop.claim() == 1
