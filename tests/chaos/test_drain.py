"""Bringing forward what waits for its next try: never the end of a lease, or the run itself would break the rules."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from mms.models import Carrier, Message, Postback, Status, Template
from mms.postbacks import outbox
from simulator.chaos.drain import backlog, hurry

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
LEASE = NOW + outbox.LEASE


@pytest.fixture
def message(world: SimpleNamespace) -> Callable[[Status, datetime], Message]:
    def message(status: Status, due_at: datetime) -> Message:
        return Message.objects.create(
            account=world.account,
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
def test_of_the_messages_those_that_wait_for_a_retry(
    message: Callable[[Status, datetime], Message], status: Status, due: datetime
) -> None:
    message(status, LATER)
    hurry(NOW)
    assert Message.objects.get().due_at == due


@pytest.mark.parametrize(("tries", "before", "due"), [(1, LATER, NOW), (1, LEASE, LEASE), (0, LATER, LATER)])
def test_of_the_postbacks_those_that_wait_for_a_retry(
    message: Callable[[Status, datetime], Message], tries: int, before: datetime, due: datetime
) -> None:
    told = message(Status.SUBMITTED, LATER)
    Postback.objects.create(
        account=told.account, message=told, code="N101", fields={}, tries=tries, due_at=before, created_at=NOW
    )
    hurry(NOW)
    assert Postback.objects.get().due_at == due


def test_what_expires_during_the_run_is_waited_for_and_what_waits_for_days_is_not(
    message: Callable[[Status, datetime], Message],
) -> None:
    message(Status.SUBMITTED, LATER)
    message(Status.IN_DOUBT, LATER + timedelta(days=3))
    assert backlog(LATER) == "1 messages to expire"
    assert backlog(NOW) == ""
