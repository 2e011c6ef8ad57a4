"""Leases: workers that die or lose their lease, each simulated by stopping where a kill would."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from mms.messages import attempts, claiming, leases, sender, sweeper, transitions
from mms.models import Attempt, Carrier, Event, Message
from mms.protocol.submit import Outcome
from tests.flow.threads import submit_with_outcome
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers, event_kinds, postback_codes

Send = Callable[..., Message]
SendReport = Callable[..., int]


def later(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)


def test_worker_dead_before_the_attempt_message_is_sent_once(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    message = send()
    claiming.claim_messages(datetime.now(UTC), 10)
    run_workers(later(minutes=1))
    assert mmsc.received == []
    run_workers(later(minutes=3))
    message.refresh_from_db()
    assert (message.status, len(mmsc.received)) == ("submitted", 1)
    assert "lost" in event_kinds(message)


def test_worker_dead_after_the_attempt_message_is_in_doubt(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    message = send()
    claimed, _ = claiming.claim_messages(datetime.now(UTC), 10)
    attempts.start([(claimed[0], 1000)], datetime.now(UTC))
    run_workers(later(minutes=3))
    message.refresh_from_db()
    assert (message.status, mmsc.received) == ("in_doubt", [])
    assert Attempt.objects.get().outcome == "in_doubt"


@pytest.mark.parametrize("claimed_again", [False, True])
@pytest.mark.parametrize(("outcome", "sent_again"), [(Outcome.SUBMITTED, 0), (Outcome.TRANSIENT, 1)])
def test_late_result_counts_until_the_next_attempt(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, outcome: Outcome, sent_again: int, *, claimed_again: bool
) -> None:
    """The worker hangs for minutes, in which an operator decides to send its message again."""
    message = send()
    claimed, _ = claiming.claim_messages(datetime.now(UTC), 10)
    late = submit_with_outcome(claimed[0], outcome, "M0")
    sweeper.sweep(later(minutes=3))
    doubtful = Message.objects.filter(pk=message.pk).select_related("account", "carrier")
    assert transitions.resolve_in_doubt(list(doubtful), sent=False, by="ann", now=later(minutes=3)) == 1
    ready = claiming.claim_messages(later(minutes=4), 10)[0] if claimed_again else []
    transitions.record_submit_results([late], later(minutes=4))
    assert len(attempts.start([(each, 1000) for each in ready], later(minutes=4))) == sent_again * len(ready)
    run_workers(later(minutes=5))
    assert len(mmsc.received) == (0 if claimed_again else sent_again)
    if not sent_again:
        message.refresh_from_db()
        assert (message.status, postback_codes(message)) == ("submitted", ["N101"])


def test_worker_without_a_lease_sends_nothing(send: Send, run_workers: RunWorkers, mmsc: ScriptedServer) -> None:
    send()
    slow, _ = claiming.claim_messages(datetime.now(UTC), 10)
    sweeper.sweep(later(minutes=3))
    quick, _ = claiming.claim_messages(later(minutes=3), 10)
    assert attempts.start([(slow[0], 1000)], later(minutes=3)) == []
    assert len(attempts.start([(quick[0], 1000)], later(minutes=3))) == 1


def test_slow_worker_renews_the_lease_of_its_claim(
    send: Send, mmsc: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "LIMITS", replace(sender.LIMITS, trial=None))  # one claim of all messages
    for _ in range(16):
        send()
    moment = datetime.now(UTC)

    def slow_clock() -> datetime:
        """Advance by 8 seconds at each call, while another worker sweeps."""
        nonlocal moment
        moment += timedelta(seconds=8)
        sweeper.sweep(moment)
        return moment

    sender.run(slow_clock)
    assert not Event.objects.filter(kind="lost").exists()
    assert len(mmsc.received) == 16


def test_claim_is_limited_to_the_given_room(records: SimpleNamespace, send: Send) -> None:
    for operator in range(3):
        Carrier.objects.create(
            name=f"c{operator}", slug=f"c{operator}", operator_id=operator, mmsc_url=records.carrier.mmsc_url
        )
        for _ in range(4):
            send(f"<operator-id>{operator}</operator-id>")
    now = datetime.now(UTC)
    assert len(claiming.claim_messages(now, per_carrier=4, room=5)[0]) == 5
    assert len(claiming.claim_messages(now, per_carrier=4)[0]) == 7
    assert claiming.claim_messages(now, per_carrier=4) == ([], 0)


def test_message_fails_after_three_dead_workers(send: Send, mmsc: ScriptedServer) -> None:
    message = send()
    for lost in range(leases.LOSSES_MAX):
        claiming.claim_messages(later(minutes=5 * lost), 10)
        sweeper.sweep(later(minutes=5 * lost + 3))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("failed", ["E101"])


def test_unreadable_content_fails_its_message(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    broken = send()
    records.medium.file.storage.delete(records.medium.file.name)
    for minutes in (0, 1, 2):
        run_workers(later(minutes=minutes))
    broken.refresh_from_db()
    assert (broken.status, event_kinds(broken).count("unprepared")) == ("failed", 3)
    assert broken.postbacks.get().fields["status-details"] == "it could not be prepared"
    assert "No such file" in broken.events.filter(kind="unprepared")[0].text
