"""Given-up postbacks: each is followed by one E999."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from mms.models import Message, Postback
from tests.scripted import Response, ScriptedServer
from tests.wire import RunWorkers, postback_codes

Send = Callable[..., Message]
SendReport = Callable[..., int]

DOWN = Response(status=503)


def run_tries(run_workers: RunWorkers, count: int) -> None:
    """Run the workers `count` times, 5 minutes apart, beginning now."""
    for number in range(count):
        run_workers(datetime.now(UTC) + timedelta(minutes=5.1 * number))


def states(message: Message) -> list[tuple[str, str, int]]:
    return list(message.postbacks.values_list("code", "status", "tries"))


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (
            "sinch",
            (
                "<postback><origin>MMS_MT</origin><code>E999</code><mms-id>35674</mms-id><from>28444</from>"
                "<to>14044790000</to><tracking-id>~tracking~</tracking-id><operator-id>31002</operator-id>"
                "<timestamp>~now~</timestamp><status-details>~details~</status-details>"
                "<client-reference>order 7</client-reference></postback>"
            ),
        ),
        (
            "skycore",
            (
                "<POSTBACK><ORIGIN>MMS_MT</ORIGIN><CODE>E999</CODE><MMSID>35674</MMSID><FROM>28444</FROM>"
                "<TO>14044790000</TO><TRACKINGID>~tracking~</TRACKINGID><SPID>31002</SPID>"
                "<TIMESTAMP>~now~</TIMESTAMP><STATUSDETAILS>~details~</STATUSDETAILS>"
                "<CLIENTREFERENCE>order 7</CLIENTREFERENCE></POSTBACK>"
            ),
        ),
        (
            "json",
            (
                '{"origin":"MMS_MT","code":"E999","mms-id":"35674","from":"28444","to":"14044790000",'
                '"tracking-id":"~tracking~","operator-id":"31002","timestamp":"~now~","status-details":"~details~",'
                '"client-reference":"order 7"}'
            ),
        ),
    ],
)
def test_e999_contains_the_code_of_the_given_up_postback(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, customer: ScriptedServer, dialect: str, body: str
) -> None:
    records.account.postback_dialect = dialect
    records.account.save()
    customer.answer_next(*[DOWN] * 6)
    message = send("<client-reference>order 7</client-reference>")
    run_tries(run_workers, 6)
    e999 = message.postbacks.get(code="E999")
    values = {
        "~tracking~": message.tracking_id,
        "~now~": e999.fields["timestamp"],
        "~details~": "N101 was given up after 6 tries; replayPostbacks sends it again",
    }
    for name, value in values.items():
        body = body.replace(name, value)
    declaration = "" if dialect == "json" else '<?xml version="1.0" encoding="UTF-8"?>\n'
    assert customer.received[6].body.decode() == declaration + body
    assert customer.received[6].headers["x-mms-sequence"] == "2"


def test_e999_contains_the_code_in_the_customer_dialect(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport, customer: ScriptedServer
) -> None:
    records.account.postback_dialect = "json"
    records.account.save()
    customer.answer_next(Response(), *[DOWN] * 6)
    send()
    run_workers()
    send_report("M1", "Expired")
    run_tries(run_workers, 6)
    assert b"N103 was given up after 6 tries" in customer.received[-1].body


def test_given_up_e999_is_not_followed_by_another(
    send: Send, run_workers: RunWorkers, customer: ScriptedServer
) -> None:
    customer.default = DOWN
    message = send()
    run_tries(run_workers, 13)
    assert states(message) == [("N101", "given-up", 6), ("E999", "given-up", 6)]
    assert not Postback.objects.filter(due_at__isnull=False).exists()


def test_e999_follows_the_waiting_postbacks(
    send: Send, run_workers: RunWorkers, send_report: SendReport, customer: ScriptedServer
) -> None:
    customer.answer_next(*[DOWN] * 6)
    message = send()
    run_workers()
    send_report("M1", "Retrieved")
    run_tries(run_workers, 6)
    assert postback_codes(message) == ["N101", "N102", "E999"]
    assert [sent.headers["x-mms-sequence"] for sent in customer.received[6:]] == ["2", "3"]
