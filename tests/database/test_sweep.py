"""What the sweep costs: what is due, not what waits."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TypeVar

import pytest
from django.db import connection

from mms import delivery, flow, overdue
from mms.models import Attempt, Discovery, Message, Postback, Report, Status
from mms.postbacks import notifier, outbox
from tests.database.plans import Explained, explained

T = TypeVar("T", Message, Discovery)

WAITING, DUE = 10_000, 100
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER, AGO = NOW + timedelta(minutes=5), NOW - timedelta(seconds=1)

STEPS: tuple[tuple[str, Callable[[datetime], object], set[str]], ...] = (
    ("flow.claim", lambda now: flow.claim(now, delivery.CLAIM), {"message_to_send"}),
    ("flow.claim_discoveries", lambda now: flow.claim_discoveries(now, delivery.CLAIM), {"discovery_to_send"}),
    ("outbox.claim", lambda now: outbox.claim(now, notifier.CLAIM), {"postback_due"}),
    (
        "overdue.wake",
        overdue.wake,
        {"message_due", "discovery_due", "report_due", "attempt_open", "attempt_by_mmsc_id"},
    ),
)
TABLES = ("mms_message", "mms_discovery", "mms_postback", "mms_report", "mms_attempt", "mms_event")


@pytest.fixture
def crowd(world: SimpleNamespace) -> None:
    """Of everything that can wait, 10,000 that are not due (postbacks, reports: 100 fewer) and 100 that are."""
    everyone = iter(range(14_000_000_000, 15_000_000_000))
    common = {"sender": "28444", "carrier": world.carrier, "account": world.account, "created_at": AGO}

    def rows(model: type[T], count: int, **values: object) -> list[T]:
        values = {**common, "expires_at": NOW + timedelta(days=1), **values}
        return model._default_manager.bulk_create(model(number=str(next(everyone)), **values) for _ in range(count))

    content = {"template": world.template, "subject": "Spring is here"}
    rows(Discovery, WAITING, status=Status.SUBMITTED, due_at=LATER)
    rows(Discovery, WAITING, status=Status.ACCEPTED, due_at=LATER)
    rows(Message, WAITING, status=Status.DISCOVERING, due_at=LATER, **content)
    waiting = rows(Message, WAITING, status=Status.ACCEPTED, due_at=LATER, **content)
    for status in (Status.SUBMITTED, Status.SENDING, Status.ACCEPTED):
        rows(Discovery, DUE, status=status, due_at=AGO)
    for status in (Status.DISCOVERING, Status.SUBMITTED, Status.IN_DOUBT, Status.SENDING, Status.ACCEPTED):
        rows(Message, DUE, status=status, due_at=AGO, **content)
    for due_at, told in ((LATER, waiting[DUE:]), (AGO, waiting[:DUE])):
        Postback.objects.bulk_create(
            Postback(account=world.account, message=m, code="N101", fields={}, due_at=due_at, created_at=AGO)
            for m in told
        )
        Report.objects.bulk_create(
            Report(carrier=world.carrier, mmsc_id=f"{due_at:%M}{n}", number=m.number, status="Retrieved",
                   received_at=AGO, due_at=due_at)
            for n, m in enumerate(told)
        )  # fmt: skip
    Attempt.objects.bulk_create(
        Attempt(message=m, carrier=world.carrier, try_number=1, started_at=AGO, finished_at=AGO, size=1)
        for m in waiting
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def report(step: str, plans: list[Explained]) -> None:
    """A line a statement (the first of those that are alike); `pytest -s` shows them."""
    alike: dict[str, list[Explained]] = {}
    for plan in plans:
        alike.setdefault(f"{plan.table}: {plan.sql.split()[0]} {', '.join(sorted(plan.indexes))}", []).append(plan)
    for what, group in alike.items():
        rows = max(sum(plan.rows(table) for table in TABLES) for plan in group)
        buffers = max(plan.buffers for plan in group)
        print(f"{step}: {len(group)} x {what}: at most {rows} rows, {buffers} buffers")  # noqa: T201


def test_each_statement_of_the_sweep_looks_at_what_is_due_and_finds_it_by_a_partial_index(crowd: None) -> None:
    for name, step, partial_indexes in STEPS:
        with explained() as plans:
            step(NOW)
        used = set().union(*(plan.indexes for plan in plans))
        assert partial_indexes <= used, name
        for plan in plans:
            assert sum(plan.rows(table) for table in TABLES) <= 2 * DUE, plan
            # An update of a row passes through each index of its table.
            assert plan.buffers <= 50 * DUE, plan
        report(name, plans)
