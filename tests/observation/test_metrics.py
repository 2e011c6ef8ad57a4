"""Metrics: read from the database, equal in every process, and cheap to scrape."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from billing import ledger
from billing.models import Balance
from mms.messages.accept import Accepted, accept
from mms.messages.request import SendRequest
from mms.models import Carrier, CarrierFeed, Event, Message, Postback, Rendition, Tally
from mms.observation import metrics, tallies
from tests.database.plans import explained
from tests.scripted import Response, ScriptedServer
from tests.wire import RunWorkers, submit_rsp

TOKEN = "the scraper's token"


def later(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)


@pytest.fixture
def scrape(settings: Settings, db: None) -> Callable[..., float]:
    """Return a metric as scraped a minute from now, when all rows have settled."""
    settings.METRICS_TOKEN = TOKEN

    def scrape(name: str, **labels: str) -> float:
        tallies.count_new_rows(later(minutes=1))
        answer = Client().get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
        families = text_string_to_metric_families(answer.content.decode())
        samples = {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples}
        return samples[name, frozenset(labels.items())]

    return scrape


@pytest.fixture
def send(records: SimpleNamespace) -> Callable[[], Message]:
    def send() -> Message:
        request = SendRequest(
            account=records.account,
            number="14044790000",
            country="US",
            sender="28444",
            carrier=records.carrier,
            template=records.template,
            service=records.service,
            subject="Spring is here",
        )
        (outcome,) = accept([request], datetime.now(UTC))
        assert isinstance(outcome, Accepted)
        return outcome.message

    return send


def test_message_is_counted_at_every_step(
    send: Callable[[], Message], scrape: Callable[..., float], mmsc: ScriptedServer, customer: ScriptedServer
) -> None:
    mmsc.answer_next(submit_rsp("X1"), submit_rsp("X2"))
    customer.answer_next(Response(), Response(status=500))
    for _ in range(2):
        send()
    RunWorkers()()
    assert scrape("mms_messages_accepted_total", carrier="att") == 2
    assert scrape("mms_messages_submitted_total", carrier="att") == 2
    assert scrape("mms_submits_total", carrier="att", outcome="submitted") == 2
    assert scrape("mms_submit_answer_seconds_count", carrier="att") == 2
    assert scrape("mms_submit_seconds_bucket", carrier="att", le="60.0") == 2
    assert scrape("mms_postback_attempts_total", outcome="taken") == 1
    assert scrape("mms_postback_attempts_total", outcome="refused") == 1
    assert scrape("mms_renditions_used_total") == 2
    assert scrape("mms_renditions_made_total", kind="image") == Rendition.objects.count() == 1
    send()
    assert scrape("mms_messages_accepted_total", carrier="att") == 3


def test_refused_message_is_counted_as_failed(
    send: Callable[[], Message], scrape: Callable[..., float], mmsc: ScriptedServer, customer: ScriptedServer
) -> None:
    mmsc.answer_next(submit_rsp(code=2001))
    send()
    RunWorkers()()
    assert scrape("mms_submits_total", carrier="att", outcome="permanent") == 1
    assert scrape("mms_messages_ended_total", carrier="att", status="failed") == 1
    assert scrape("mms_messages_ended_total", carrier="att", status="delivered") == 0


def test_oldest_due_row_is_reported_by_queue(send: Callable[[], Message], scrape: Callable[..., float]) -> None:
    message = send()
    Message.objects.update(due_at=later(hours=-2))
    Postback.objects.create(
        account=message.account, message=message, code="N101", fields={}, due_at=later(minutes=-5), created_at=later()
    )
    assert scrape("mms_due_rows", queue="messages", carrier="att") == 1
    assert scrape("mms_due_age_seconds", queue="messages", carrier="att") == pytest.approx(7200, abs=60)
    assert scrape("mms_due_rows", queue="postbacks", carrier="") == 1
    assert scrape("mms_due_age_seconds", queue="postbacks", carrier="") == pytest.approx(300, abs=60)
    assert scrape("mms_due_age_seconds", queue="encodings", carrier="") == 0
    assert scrape("mms_postbacks_pending") == 1


@pytest.mark.parametrize(
    ("status", "queue"),
    [("sending", "message-deadlines"), ("submitted", "message-deadlines"), ("accepted", "messages")],
)
def test_overdue_deadlines_count_as_backlog(
    send: Callable[[], Message], scrape: Callable[..., float], status: str, queue: str
) -> None:
    send()
    Message.objects.update(status=status, due_at=later(minutes=-10))
    carrier = "att" if queue == "messages" else ""
    assert scrape("mms_due_rows", queue=queue, carrier=carrier) == 1


def test_in_doubt_messages_and_open_discoveries_are_counted(
    send: Callable[[], Message], scrape: Callable[..., float]
) -> None:
    send()
    Message.objects.update(status="in_doubt")
    assert scrape("mms_messages_in_doubt") == 1
    assert scrape("mms_discoveries_open") == 0


def test_paused_carrier_is_reported(records: SimpleNamespace, scrape: Callable[..., float]) -> None:
    assert (scrape("mms_carrier_paused", carrier="att"), scrape("mms_carrier_failures", carrier="att")) == (0, 0)
    CarrierFeed.objects.create(carrier=records.carrier, failures=7, pauses=1, paused_until=later(seconds=9))
    assert (scrape("mms_carrier_paused", carrier="att"), scrape("mms_carrier_failures", carrier="att")) == (1, 7)


def test_last_ledger_reconciliation_is_reported(records: SimpleNamespace, scrape: Callable[..., float]) -> None:
    Balance.objects.create(account=records.account, balance=5)
    ledger.record_reconciliation(datetime.now(UTC))
    assert scrape("mms_books_differing_accounts") == 1
    Balance.objects.update(balance=0)
    proven = datetime.now(UTC)
    ledger.record_reconciliation(proven)
    assert scrape("mms_books_differing_accounts") == 0
    assert scrape("mms_books_proven_timestamp_seconds") == pytest.approx(proven.timestamp(), abs=1)


def test_settled_row_is_counted_exactly_once(send: Callable[[], Message]) -> None:
    send()
    for now, counted in ((later(), 0), (later(seconds=11), 1), (later(seconds=12), 1)):
        tallies.count_new_rows(now)
        assert sum(Tally.objects.filter(kind="accepted").values_list("count", flat=True)) == counted


def test_unsettled_row_holds_back_later_rows(send: Callable[[], Message]) -> None:
    """Rows with lower keys may commit late, so the mark stays below the first unsettled row."""
    for _ in range(2):
        send()
    first = Event.objects.order_by("pk").first()
    assert first
    Event.objects.filter(pk=first.pk).update(at=later(seconds=30))
    tallies.count_new_rows(later(seconds=20))
    assert not Tally.objects.exists()
    tallies.count_new_rows(later(seconds=60))
    assert Tally.objects.get(kind="accepted").count == 2


def test_large_table_is_counted_from_near_its_end(send: Callable[[], Message], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MAX_ROWS", 3)
    for _ in range(5):
        send()
    tallies.count_new_rows(later(minutes=1))
    assert Tally.objects.get(kind="accepted").count == 3
    for _ in range(5):
        send()
    for counted in (6, 8):
        tallies.count_new_rows(later(minutes=1))
        assert Tally.objects.get(kind="accepted").count == counted


def test_scrape_cost_is_independent_of_table_size(send: Callable[[], Message], records: SimpleNamespace) -> None:
    metrics.render()
    with CaptureQueriesContext(connection) as few:
        metrics.render()
    message = send()
    rest = [Message(**{f.attname: getattr(message, f.attname) for f in Message._meta.fields if f.name != "id"})
            for _ in range(2000)]  # fmt: skip
    Message.objects.bulk_create(rest)
    Message.objects.filter(pk__gt=message.pk).update(due_at=later(days=1), status="submitted")
    Event.objects.bulk_create(Event(message=m, at=later(), kind="lost") for m in rest)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE mms_message, mms_event")
    tallies.count_new_rows(later(minutes=1))
    with CaptureQueriesContext(connection) as many:
        metrics.render()
    assert len(many) == len(few)
    with explained() as plans:
        metrics.render()
    assert max(plan.rows("mms_message") + plan.rows("mms_event") for plan in plans) < 50


def test_carrier_name_is_quoted_in_labels(records: SimpleNamespace, scrape: Callable[..., float]) -> None:
    Carrier.objects.update(slug='a"b\\c')
    assert scrape("mms_messages_accepted_total", carrier='a"b\\c') == 0


@pytest.mark.parametrize(
    ("token", "given", "status"),
    [
        ("", "", 404),
        ("", "Bearer ", 404),
        (TOKEN, "", 401),
        (TOKEN, "Bearer another token", 401),
        (TOKEN, f"Basic {TOKEN}", 401),
        (TOKEN, f"Bearer {TOKEN}", 200),
    ],
)
def test_scrape_requires_the_token(settings: Settings, db: None, token: str, given: str, status: int) -> None:
    settings.METRICS_TOKEN = token
    assert Client().get("/metrics", headers={"authorization": given} if given else {}).status_code == status
