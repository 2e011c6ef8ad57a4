"""The number of SQL statements of a step does not depend on the number of its messages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import ledger
from billing.models import Price
from handsets import cache
from handsets.cache import Sighting
from handsets.models import CachedHandset
from mms.messages import claiming, report_apply, sender, transitions
from mms.messages.attempts import CompletedSubmit
from mms.mm7.requests import DeliveryReportReq, read_request
from mms.models import Attempt, Message, Postback
from mms.postbacks import outbox
from mms.protocol.reports import DeliveryReport
from mms.protocol.submit import Outcome, SubmitResult
from mms.rendering.compose import Composer
from mms.runtime.http_client import Reply
from tests.wire import IPHONE, report_body

Send = Callable[..., Message]

OK = Reply(200, "", b"", 0.1)


def now() -> datetime:
    return datetime.now(UTC)


class StatementCounter:
    """Counts the SQL statements of each named step."""

    def __init__(self) -> None:
        self.statements: dict[str, int] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        with CaptureQueriesContext(connection) as captured:
            yield
        self.statements[step] = len(captured)


def count_statements(records: SimpleNamespace, send: Send, messages: int) -> dict[str, int]:
    """Send messages through all steps in one batch. Return the number of statements of each step."""
    counter = StatementCounter()
    numbers = [f"1404479{messages:02}{number:02}" for number in range(messages)]
    for number in numbers:
        cache.record_sightings([Sighting(number, IPHONE, CachedHandset.Source.DELIVERY_REPORT, now())])
        send(to=number)
    with counter("claim"):
        claimed, _ = claiming.claim_messages(now(), messages)
    with counter("adapt"):
        ready = sender.adapt(claimed, Composer(claimed), now())
    with counter("start"):
        started = transitions.start_attempts([adapted for adapted, _ in ready], now())
    completed = [
        CompletedSubmit(sent, a, SubmitResult(Outcome.SUBMITTED, 1000, "", f"B{sent.pk}")) for sent, a in started
    ]
    with counter("submitted"):
        transitions.record_submit_results(completed, now())
    reports = [report(f"B{sent.pk}", sent.number) for sent, _ in started]
    with counter("reports"):
        report_apply.record_reports([(records.carrier, delivery_report) for delivery_report in reports], now())
    for code in ("N101", "N102"):
        with counter(f"claim {code}"):
            postbacks = outbox.claim(now(), 2 * messages)
        assert [each.postback.code for each in postbacks] == [code] * messages
        with counter(f"settle {code}"):
            outbox.settle([(each, OK) for each in postbacks], now())
    return counter.statements


def accepted(message: Message, attempt: Attempt) -> CompletedSubmit[Message]:
    result = SubmitResult(Outcome.SUBMITTED, 1000, "", f"B{message.pk}")
    return CompletedSubmit(message, attempt, result)


def report(message_id: str, number: str) -> DeliveryReport:
    parsed = read_request("text/xml", report_body(message_id, number, "Retrieved", IPHONE))
    assert isinstance(parsed, DeliveryReportReq)
    return parsed.delivery_report()


def test_steps_need_as_many_queries_for_20_messages_as_for_2(records: SimpleNamespace, send: Send) -> None:
    Price.objects.create(message_class="mms", amount=50)
    ledger.top_up(records.account, 1_000_000, "", now())

    few, many = count_statements(records, send, 2), count_statements(records, send, 20)

    assert many == few
    assert set(Message.objects.values_list("status", flat=True)) == {"delivered"}
    assert Postback.objects.filter(status="taken").count() == 2 * 22
    assert ledger.reconcile() == []


def test_repeated_reports_in_one_batch_are_applied_once(records: SimpleNamespace, send: Send) -> None:
    messages = [send(), send()]
    claimed, _ = claiming.claim_messages(now(), 2)
    ready = sender.adapt(claimed, Composer(claimed), now())
    started = transitions.start_attempts([adapted for adapted, _ in ready], now())
    transitions.record_submit_results([accepted(*each) for each in started], now())
    first, second = (report(f"B{message.pk}", message.number) for message in messages)
    report_apply.record_reports([(records.carrier, each) for each in (second, first, second, first)], now())
    postbacks = list(Postback.objects.order_by("message", "pk").values_list("message", "code"))
    assert postbacks == [(message.pk, code) for message in messages for code in ("N101", "N102")]
