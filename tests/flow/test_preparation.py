"""Preparation: storage failures, messages that kill their worker, stopping workers, late results."""

import errno
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery.signals import worker_shutting_down
from django.core.files.storage import FileSystemStorage

from base import shutdown
from mms.adaptation.plan import CannotFit
from mms.messages import attempts, claiming, leases, sender, sweeper, transitions
from mms.messages.attempts import CompletedSubmit
from mms.models import Carrier, Discovery, Event, Message
from mms.protocol.submit import Outcome, SubmitResult
from mms.rendering.compose import ComposedMessage, Composer
from tests.api.documents import KEY, request
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers, event_kinds, postback_codes

Send = Callable[..., Message]

DDM = "<ddm-message-text>What is your telephone?</ddm-message-text>"


def later(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)


# --- storage ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def outage(records: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Return a function that makes storage fail with an error, on saving or on opening files.

    The carrier takes only small messages, so a rendition of the picture has to be made.
    """
    Carrier.objects.update(message_bytes=20_000)

    def outage(step: str, error: int) -> None:
        def fails(*_: Any) -> None:
            raise OSError(error, "the disk says no")

        monkeypatch.setattr(FileSystemStorage, step, fails)

    return outage


@pytest.mark.parametrize(("step", "error"), [("_save", errno.ENOSPC), ("_open", errno.EIO)])
def test_message_is_postponed_while_storage_fails(
    send: Send,
    post: Callable[[str], bytes],
    run_workers: RunWorkers,
    mmsc: ScriptedServer,
    outage: Callable[[str, int], None],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: int,
) -> None:
    message = send()
    outage(step, error)
    for tried in range(leases.LOSSES_MAX + 1):
        run_workers(later(seconds=31 * tried))
    message.refresh_from_db()
    assert (message.status, message.losses, postback_codes(message)) == ("accepted", 0, [])
    assert event_kinds(message) == ["accepted", "put-off"]
    assert "the disk says no" in message.events.get(kind="put-off").text
    answer = post(request({"action": "getMessage", "api-key": KEY, "tracking-id": message.tracking_id}).decode())
    assert b"<type>put-off</type></event>" in answer
    monkeypatch.undo()
    run_workers(later(seconds=31 * (leases.LOSSES_MAX + 1)))
    message.refresh_from_db()
    assert (message.status, len(mmsc.received)) == ("submitted", 1)


def test_message_fails_if_storage_fails_until_expiry(
    send: Send, run_workers: RunWorkers, outage: Callable[[str, int], None]
) -> None:
    message = send()
    outage("_save", errno.ENOSPC)
    run_workers()
    run_workers(later(days=3, minutes=1))
    assert message.postbacks.get(code="E101").fields["status-details"] == "it expired before it could be sent"


# --- lost workers -----------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Ends the worker's code as a kill would."""


def test_message_that_kills_its_workers_fails_alone(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = [send() for _ in range(6)]
    killer = messages[2]
    compose = Composer.compose

    def compose_or_die(composer: Composer, message: Message) -> ComposedMessage | CannotFit:
        if message == killer:
            raise Killed
        return compose(composer, message)

    monkeypatch.setattr(Composer, "compose", compose_or_die)
    for minutes in (0, 3, 6):
        moment = later(minutes=minutes)
        with pytest.raises(Killed):
            sender.run(lambda now=moment: now)  # type: ignore[misc]  # mypy takes no default in a lambda
    run_workers(later(minutes=9))
    found = dict(Message.objects.values_list("pk", "status"))
    assert found == {message.pk: "failed" if message == killer else "submitted" for message in messages}
    assert set(Message.objects.exclude(pk=killer.pk).values_list("losses", flat=True)) == {1}
    assert len(mmsc.received) == len(messages) - 1


def test_message_with_a_loss_is_claimed_alone(send: Send, mmsc: ScriptedServer) -> None:
    lost = [send() for _ in range(3)]
    Message.objects.update(losses=1)
    for _ in range(3):
        send()
    now = later(seconds=1)
    claims = [claiming.claim_messages(now, 10)[0] for _ in range(4)]
    assert [len(claimed) for claimed in claims] == [1, 1, 1, 3]
    assert [message for claimed in claims[:3] for message in claimed] == lost


def test_unpreparable_ddm_does_not_block_the_others(send: Send, run_workers: RunWorkers, mmsc: ScriptedServer) -> None:
    broken, sound = send(DDM), send(DDM, to="14044790001")
    claiming.claim_messages(later(seconds=1), 10)
    Discovery.objects.filter(number=broken.number).update(sender="nobody")
    for minutes in (1, 2, 3):
        run_workers(later(minutes=minutes))
    assert (postback_codes(broken), postback_codes(sound)) == (["E501", "N101"], ["N501"])
    assert broken.postbacks.get(code="E501").fields["status-details"] == "the DDM could not be prepared"


# --- stopping workers -------------------------------------------------------------------------------------------------


def test_stopping_worker_releases_unstarted_messages(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown, "_requested", bytearray(1))
    monkeypatch.setattr(sender, "GROUP", 2)
    for _ in range(5):
        send()
    send(DDM, to="14044790001")
    moment = later(seconds=1)

    def clock_stopping_after_the_claim() -> datetime:
        if Message.objects.filter(status="sending").exists():
            worker_shutting_down.send(sender=None)
        return moment

    sender.run(clock_stopping_after_the_claim)
    unstarted = Message.objects.filter(status="accepted", due_at=moment, losses=0)
    assert (unstarted.count(), len(mmsc.received)) == (3, 2)
    monkeypatch.setattr(shutdown, "_requested", bytearray(1))
    run_workers(moment)
    assert not Event.objects.filter(kind="lost").exists()
    assert len(mmsc.received) == 6


# --- late results -----------------------------------------------------------------------------------------------------


def test_late_result_of_an_earlier_try_is_ignored(send: Send, run_workers: RunWorkers, mmsc: ScriptedServer) -> None:
    message = send()
    claimed, _ = claiming.claim_messages(datetime.now(UTC), 10)
    [(sent, attempt)] = attempts.start([(claimed[0], 1000)], datetime.now(UTC))
    sweeper.sweep(later(minutes=3))
    message.refresh_from_db()
    transitions.resolve_in_doubt([message], sent=False, by="operator", now=later(minutes=3))
    mmsc.answer_next("reset")
    run_workers(later(minutes=4))
    late = CompletedSubmit(sent, attempt, SubmitResult(Outcome.TRANSIENT, 3000, "busy", None))
    transitions.record_submit_results([late], later(minutes=5))
    message.refresh_from_db()
    assert (message.status, len(mmsc.received)) == ("in_doubt", 1)
    assert [(each.try_number, each.outcome) for each in message.attempts.all()] == [(1, "transient"), (2, "in_doubt")]
