"""The cost of claims and sweep depends on the rows that are due, not on the backlog."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TypeVar

import pytest
from django.db import connection
from django.db.models import Model

from mms.messages import claiming, sender, sweeper
from mms.models import Attempt, Discovery, Message, Postback, Report, Status
from mms.postbacks import notifier, outbox
from tests.database.plans import Explained, explained

T = TypeVar("T", Message, Discovery)

WAITING, DUE = 10_000, 100
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER, AGO = NOW + timedelta(minutes=5), NOW - timedelta(seconds=1)

STEPS: tuple[tuple[str, Callable[[datetime], object], set[str]], ...] = (
    ("claim_messages", lambda now: claiming.claim_messages(now, sender.LIMITS.claim), {"message_to_send"}),
    ("claim_discoveries", lambda now: claiming.claim_discoveries(now, sender.LIMITS.claim), {"discovery_to_send"}),
    ("outbox.claim", lambda now: outbox.claim(now, notifier.LIMITS.claim), {"postback_due"}),
    (
        "sweep",
        sweeper.sweep,
        {"message_due", "discovery_due", "report_due", "attempt_open", "attempt_by_mmsc_id"},
    ),
)
TABLES = ("mms_message", "mms_discovery", "mms_postback", "mms_report", "mms_attempt", "mms_event")


def multiply(row: Model, source: str, **expressions: str) -> None:
    """Copy the row once for each row of the `source` query, with SQL expressions for some of the columns."""
    table, key = row._meta.db_table, str(row._meta.pk.column)
    if key not in expressions:
        expressions[key] = f"nextval(pg_get_serial_sequence('{table}', '{key}'))"
    names = [str(field.column) for field in row._meta.concrete_fields]
    values = ", ".join(expressions.get(name, f'sample."{name}"') for name in names)
    columns = ", ".join(f'"{name}"' for name in names)
    sample = f"(SELECT * FROM {table} WHERE {key} = %s) sample"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {values} FROM {sample}, ({source}) source", [row.pk])


@pytest.fixture
def backlog(records: SimpleNamespace) -> None:
    """Create 10,000 rows that are not due and 100 that are, of every kind and status that can wait."""
    first_numbers = iter(range(14_000_000_000, 15_000_000_000, WAITING))
    common = {"sender": "28444", "carrier": records.carrier, "account": records.account, "created_at": AGO}
    content = {"template": records.template, "subject": "Spring is here"}

    def rows(count: int, model: type[T], **values: object) -> T:
        number = next(first_numbers)
        values = {**common, "expires_at": NOW + timedelta(days=1), **values}
        row = model._default_manager.create(number=str(number), **values)
        multiply(row, f"SELECT generate_series(1, {count - 1}) n", number=f"({number} + n)::text")
        return row

    rows(WAITING, Discovery, status=Status.SUBMITTED, due_at=LATER)
    rows(WAITING, Discovery, status=Status.ACCEPTED, due_at=LATER)
    rows(WAITING, Message, status=Status.DISCOVERING, due_at=LATER, **content)
    first = rows(WAITING, Message, status=Status.ACCEPTED, due_at=LATER, **content)
    for status in (Status.SUBMITTED, Status.SENDING, Status.ACCEPTED):
        rows(DUE, Discovery, status=status, due_at=AGO)
    for status in (Status.DISCOVERING, Status.SUBMITTED, Status.IN_DOUBT, Status.SENDING, Status.ACCEPTED):
        rows(DUE, Message, status=status, due_at=AGO, **content)
    waiting = f"SELECT id, number FROM mms_message WHERE id > {first.pk} AND id < {first.pk + WAITING}"
    for source, due_at in ((f"{waiting} ORDER BY id LIMIT {DUE}", AGO), (f"{waiting} ORDER BY id OFFSET {DUE}", LATER)):
        postback = Postback(
            account=records.account, message=first, code="N101", fields={}, due_at=due_at, created_at=AGO
        )
        postback.save()
        multiply(postback, source, message_id="source.id")
        report = Report.objects.create(
            carrier=records.carrier, mmsc_id=f"{due_at:%M}", number=first.number, status="Retrieved",
            received_at=AGO, due_at=due_at,
        )  # fmt: skip
        multiply(report, source, mmsc_id="sample.mmsc_id || source.id", number="source.number")
    attempt = Attempt.objects.create(
        message=first, carrier=records.carrier, try_number=1, started_at=AGO, finished_at=AGO, size=1
    )
    multiply(attempt, waiting, message_id="source.id")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def report(step: str, plans: list[Explained]) -> None:
    """Print one line for each group of similar statements; `pytest -s` shows them."""
    groups: dict[str, list[Explained]] = {}
    for plan in plans:
        groups.setdefault(f"{plan.table}: {plan.sql.split()[0]} {', '.join(sorted(plan.indexes))}", []).append(plan)
    for what, group in groups.items():
        rows = max(sum(plan.rows(table) for table in TABLES) for plan in group)
        buffers = max(plan.buffers for plan in group)
        print(f"{step}: {len(group)} x {what}: at most {rows} rows, {buffers} buffers")  # noqa: T201


def test_sweep_statements_read_due_rows_by_partial_indexes(backlog: None) -> None:
    for name, step, partial_indexes in STEPS:
        with explained() as plans:
            step(NOW)
        used = set().union(*(plan.indexes for plan in plans))
        assert partial_indexes <= used, name
        for plan in plans:
            assert sum(plan.rows(table) for table in TABLES) <= 3 * DUE, plan
            # An update of a row visits each index of its table.
            assert plan.buffers <= 50 * DUE, plan
        report(name, plans)
