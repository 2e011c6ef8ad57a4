"""Advancing retries during the drain never shortens a lease, which would itself cause breaches."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from mms.models import Carrier, Message, Postback, Status, Template
from mms.postbacks import outbox
from simulator.chaos.drain import advance_retries, describe_backlog

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
LEASE = NOW + outbox.LEASE


@pytest.fixture
def message(records: SimpleNamespace) -> Callable[[Status, datetime], Message]:
    def message(status: Status, due_at: datetime) -> Message:
        return Message.objects.create(
            account=records.account,
            template=Template.objects.get(),
            carrier=Carrier.objects.get(),
            number="14044790000",
            sender="28444",
            status=status,
            due_at=due_at,
            expires_at=LATER,
            created_at=NOW,
        )

    return message


@pytest.mark.parametrize(
    ("status", "due"),
    [(Status.ACCEPTED, NOW), (Status.SENDING, LATER), (Status.DISCOVERING, LATER), (Status.SUBMITTED, LATER)],
)
def test_only_messages_waiting_for_a_retry_are_advanced(
    message: Callable[[Status, datetime], Message], status: Status, due: datetime
) -> None:
    message(status, LATER)
    advance_retries(NOW)
    assert Message.objects.get().due_at == due


@pytest.mark.parametrize(("tries", "before", "due"), [(1, LATER, NOW), (1, LEASE, LEASE), (0, LATER, LATER)])
def test_only_postbacks_waiting_for_a_retry_are_advanced(
    message: Callable[[Status, datetime], Message], tries: int, before: datetime, due: datetime
) -> None:
    owner = message(Status.SUBMITTED, LATER)
    Postback.objects.create(
        account=owner.account, message=owner, code="N101", fields={}, tries=tries, due_at=before, created_at=NOW
    )
    advance_retries(NOW)
    assert Postback.objects.get().due_at == due


def test_message_on_the_last_retry_step_is_left_alone(message: Callable[[Status, datetime], Message]) -> None:
    message(Status.ACCEPTED, LATER)
    Message.objects.update(refusals=6)
    advance_retries(NOW)
    assert Message.objects.get().due_at == LATER
    assert describe_backlog(LATER) == ""


def test_backlog_includes_only_messages_expiring_during_the_run(
    message: Callable[[Status, datetime], Message],
) -> None:
    message(Status.SUBMITTED, LATER)
    message(Status.IN_DOUBT, LATER + timedelta(days=3))
    assert describe_backlog(LATER) == "1 messages to expire"
    assert describe_backlog(NOW) == ""
