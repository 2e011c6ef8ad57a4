"""A step costs a number of statements that does not depend on how many messages take it together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import ledger
from billing.models import Price
from handsets import cache
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

TAKEN = Reply(200, "", b"", 0.1)


def now() -> datetime:
    return datetime.now(UTC)


class Counted:
    """The number of statements of each step, by its name."""

    def __init__(self) -> None:
        self.statements: dict[str, int] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        with CaptureQueriesContext(connection) as captured:
            yield
        self.statements[step] = len(captured)


def whole_way(world: SimpleNamespace, send: Send, messages: int) -> dict[str, int]:
    """Statements of the steps that so many messages take together."""
    counted = Counted()
    numbers = [f"1404479{messages:02}{number:02}" for number in range(messages)]
    for number in numbers:
        cache.record_sighting(number, IPHONE, CachedHandset.Source.DELIVERY_REPORT, now())
        send(to=number)
    with counted("claim"):
        claimed, _ = claiming.claim_messages(now(), messages)
    with counted("adapt"):
        ready = sender.adapt(claimed, Composer(claimed), now())
    with counted("start"):
        started = transitions.start_attempts([adapted for adapted, _ in ready], now())
    landings = [
        CompletedSubmit(sent, a, SubmitResult(Outcome.SUBMITTED, 1000, "", f"B{sent.pk}")) for sent, a in started
    ]
    with counted("submitted"):
        transitions.record_submit_results(landings, now())
    said = [report(f"B{sent.pk}", sent.number) for sent, _ in started]
    with counted("reports"):
        report_apply.record_reports([(world.carrier, request) for request in said], now())
    for turn in ("N101", "N102"):
        with counted(f"claim {turn}"):
            parcels = outbox.claim(now(), 2 * messages)
        assert [parcel.postback.code for parcel in parcels] == [turn] * messages
        with counted(f"settle {turn}"):
            outbox.settle([(parcel, TAKEN) for parcel in parcels], now())
    return counted.statements


def accepted(message: Message, attempt: Attempt) -> CompletedSubmit[Message]:
    result = SubmitResult(Outcome.SUBMITTED, 1000, "", f"B{message.pk}")
    return CompletedSubmit(message, attempt, result)


def report(message_id: str, number: str) -> DeliveryReport:
    said = read_request("text/xml", report_body(message_id, number, "Retrieved", IPHONE))
    assert isinstance(said, DeliveryReportReq)
    return said.delivery_report()


def test_each_step_of_many_takes_as_many_statements_as_that_of_two(world: SimpleNamespace, send: Send) -> None:
    Price.objects.create(message_class="mms", amount=50)
    ledger.top_up(world.account, 1_000_000, "", now())

    few, many = whole_way(world, send, 2), whole_way(world, send, 20)

    assert many == few
    assert set(Message.objects.values_list("status", flat=True)) == {"delivered"}
    assert Postback.objects.filter(status="taken").count() == 2 * 22
    assert ledger.reconcile() == []


def test_reports_that_come_together_are_each_taken_once(world: SimpleNamespace, send: Send) -> None:
    messages = [send(), send()]
    claimed, _ = claiming.claim_messages(now(), 2)
    ready = sender.adapt(claimed, Composer(claimed), now())
    started = transitions.start_attempts([adapted for adapted, _ in ready], now())
    transitions.record_submit_results([accepted(*each) for each in started], now())
    first, second = (report(f"B{message.pk}", message.number) for message in messages)
    report_apply.record_reports([(world.carrier, each) for each in (second, first, second, first)], now())
    told = list(Postback.objects.order_by("message", "pk").values_list("message", "code"))
    assert told == [(message.pk, code) for message in messages for code in ("N101", "N102")]
