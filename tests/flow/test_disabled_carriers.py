"""Disabled carriers: accepted messages wait until their carrier is enabled, or expire."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from mms.messages import claiming, sweeper
from mms.models import Carrier, Discovery, Message
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers, event_kinds, postback_codes

Send = Callable[..., Message]
SendReport = Callable[..., int]


def later(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)


def switch(carrier: Carrier, *, on: bool) -> None:
    Carrier.objects.filter(pk=carrier.pk).update(enabled=on)


def test_messages_of_a_disabled_carrier_wait_until_enabled(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    messages = [send(), send("<ddm-message-text>Free</ddm-message-text>", to="14044790001")]
    switch(records.carrier, on=False)
    run_workers(later(hours=1))
    sweeper.fail_expired_at_disabled_carriers(later(hours=1))
    assert ([Message.objects.get(pk=m.pk).status for m in messages], mmsc.received) == (["accepted"] * 2, [])
    switch(records.carrier, on=True)
    run_workers(later(hours=1))
    assert [Message.objects.get(pk=m.pk).status for m in messages] == ["submitted", "discovering"]
    switch(records.carrier, on=False)
    run_workers(later(hours=2))
    assert event_kinds(messages[1])[-1] == "deadline"


def test_message_fails_if_it_expires_at_a_disabled_carrier(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    message = send("<ddm-message-text>Free</ddm-message-text>")
    claiming.claim_messages(later(seconds=1), 10)  # the message waits for a discovery, whose DDM is due
    switch(records.carrier, on=False)
    for days in (1, 4):
        run_workers(later(days=days))
        sweeper.fail_expired_at_disabled_carriers(later(days=days))
    message.refresh_from_db()
    assert (message.status, postback_codes(message), mmsc.received) == ("failed", ["E501", "E101"], [])
    details = message.postbacks.get(code="E101").fields["status-details"]
    assert details == "its carrier was unavailable until it expired"
    assert Discovery.objects.get().status == "failed"
