"""The statements of the hot paths, under their cached plans, read no more among finished messages than alone."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import connection
from django.db.models import Model
from pytest_django.plugin import DjangoDbBlocker

from billing import ledger
from billing.models import LedgerEntry, Price
from handsets.models import CachedHandset
from mms.models import Attempt, Discovery, Event, FirstAnswer, Message, Postback, PostbackAttempt, Report, Template
from tests.database.plans import executed
from tests.database.test_sweep import multiply
from tests.wire import IPHONE, RunWorkers

HISTORY = 100_000  # finished messages, with all that belongs to them
ROUNDS = 7  # PostgreSQL may choose the generic plan of a prepared statement from its sixth execution on
GROWTH, MORE = 2, 30  # times the pages, and pages, that an index of a large table may cost more: it is deeper
AGO = datetime.now(UTC) - timedelta(hours=2)
LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w$])\d+\b")
TABLES = (
    *(Message, Event, Discovery, Attempt, Report, Postback, PostbackAttempt),
    *(LedgerEntry, CachedHandset, FirstAnswer, Template),
)
DDM = "<ddm-message-text>What is your telephone?</ddm-message-text>"

RunRounds = Callable[[int], dict[str, int]]


@pytest.fixture
def vacuumed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Remove the rows of the test after its rollback: they would distort the plans of other tests."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(f"VACUUM (FULL, ANALYZE) {', '.join(table._meta.db_table for table in TABLES)}")


@pytest.fixture
def rounds(
    vacuumed: None,
    records: SimpleNamespace,
    send: Callable[..., Message],
    send_report: Callable[..., int],
    run_workers: RunWorkers,
) -> RunRounds:
    """Return a function that sends messages one after the other, each with its DDM, to the numbers from one on.

    It returns the pages read by each statement once it was executed often: the most of an execution.
    """
    Price.objects.create(message_class="mms", amount=50)
    Price.objects.create(message_class="ddm", amount=10)
    ledger.top_up(records.account, 1_000_000, "", AGO)

    def run_round(number: str) -> None:
        message = send(DDM, to=number)
        for sent in (Discovery, Message):
            run_workers()
            submitted = Attempt.objects.filter(**{f"{sent._meta.model_name}__number": number}).latest("pk")
            assert send_report(submitted.mmsc_id, "Retrieved", IPHONE, number) == 200
        run_workers()
        message.refresh_from_db()
        assert message.status == "delivered"

    def run_rounds(first: int) -> dict[str, int]:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
            cursor.execute("DEALLOCATE ALL")
        pages: dict[str, list[int]] = defaultdict(list)
        with executed() as plans:
            for number in range(first, first + ROUNDS):
                run_round(str(number))
        for plan in plans:
            pages[LITERAL.sub("?", plan.sql)].append(plan.buffers)
        return {statement: max(read[5:]) for statement, read in pages.items() if len(read) > 5}

    return run_rounds


def finish(row: Model, **expressions: str) -> None:
    multiply(row, f"SELECT generate_series(1, {HISTORY}) n", **expressions)


def store_history(records: SimpleNamespace) -> None:
    """Copy the rows of a finished message: its discovery, attempt, report, postback, bookings and first answer."""
    ended, day = Message.objects.order_by("pk").first(), "now() - interval '1 day'"
    assert ended
    assert ended.discovery_id
    number = "(15000000000 + n)::text"
    mmsc_id = "'H' || n"
    postback, reported = ended.postbacks.get(code="N102"), Report.objects.get(attempt__message=ended)
    FirstAnswer.objects.create(account=records.account, key="K", fingerprint="", answer="{}", created_at=AGO)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no foreign keys to check
        finish(ended, number=number, created_at=day)
        finish(Discovery.objects.get(pk=ended.discovery_id), number=number, created_at=day)
        first = f"(SELECT max(id) - {HISTORY} FROM mms_message) + n"
        finish(ended.events.latest("pk"), message_id=first)
        finish(ended.attempts.get(), message_id=first, mmsc_id=mmsc_id)
        finish(
            reported, mmsc_id=mmsc_id, number=number, attempt_id=f"(SELECT max(id) - {HISTORY} FROM mms_attempt) + n"
        )
        finish(postback, message_id=first)
        finish(postback.attempts.get(), postback_id=f"(SELECT max(id) - {HISTORY} FROM mms_postback) + n")
        finish(LedgerEntry.objects.get(message=ended.pk, kind="settle"), message=first)
        finish(CachedHandset.objects.get(number=ended.number), number=number)
        finish(FirstAnswer.objects.get(), key="'K' || n")
        cursor.execute("SET session_replication_role = origin")


def test_hot_paths_read_no_more_pages_among_history(rounds: RunRounds, records: SimpleNamespace) -> None:
    alone = rounds(14044790000)
    store_history(records)
    among = rounds(14044791000)
    assert len(alone) > 50
    grown = {
        statement: (alone[statement], among[statement])
        for statement in alone.keys() & among.keys()
        if among[statement] > GROWTH * alone[statement] + MORE
    }
    assert grown == {}
