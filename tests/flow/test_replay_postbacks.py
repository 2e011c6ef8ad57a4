"""replayPostbacks and its command: replay the postbacks of a message, or those given up in a period."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import hypothesis
import pytest
from django.core.management import CommandError, call_command
from hypothesis import strategies as st

from billing import keys
from billing.models import Account
from mms.models import Message, Postback
from mms.postbacks import notifier, outbox
from tests.api.dialect_requests import post_json
from tests.scripted import Response, ScriptedServer
from tests.wire import RunWorkers

Send = Callable[..., Message]
SendReport = Callable[..., int]
Post = Callable[[str], bytes]
Capture = pytest.CaptureFixture[str]

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ONE = "Specify exactly one of event-id, tracking-id and since"
DOWN = Response(status=503)
XML = b'<?xml version="1.0" encoding="UTF-8"?>\n'


def replay(elements: str) -> str:
    key = "qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlZ"
    return f"<request><action>replayPostbacks</action><api-key>{key}</api-key>{elements}</request>"


def given_up(account: Account, at: datetime, code: str = "N101") -> Postback:
    """Create a postback that was given up at this time, after six tries."""
    return Postback.objects.create(
        account=account, code=code, fields={"code": code}, status="given-up", tries=6, created_at=at, ended_at=at
    )


@pytest.fixture
def other(records: SimpleNamespace, customer: ScriptedServer) -> Account:
    account = Account.objects.create(name="Other", postback_url=f"{customer.url}/other")
    keys.issue(account, "another-key")
    return account


def received(customer: ScriptedServer) -> list[tuple[str, str, str]]:
    """Return event ID, attempt and sequence of each request."""
    names = ("x-mms-event-id", "x-mms-attempt", "x-mms-sequence")
    return [(sent.headers[names[0]], sent.headers[names[1]], sent.headers[names[2]]) for sent in customer.received]


def test_replay_keeps_order_bytes_and_ids(
    send: Send, post: Post, run_workers: RunWorkers, send_report: SendReport, customer: ScriptedServer
) -> None:
    message = send()
    run_workers()
    send_report("M1", "Retrieved")
    run_workers()
    answer = post(replay(f"<tracking-id>{message.tracking_id}</tracking-id>"))
    assert (
        answer
        == XML
        + (
            f"<response><status>Success</status><tracking-id>{message.tracking_id}</tracking-id><replayed>2</replayed>"
            "<status-details>Postbacks to be sent again: 2</status-details></response>"
        ).encode()
    )
    run_workers()
    first, second = (str(postback.pk) for postback in message.postbacks.all())
    assert received(customer) == [
        (first, "1", "1"), (second, "1", "2"), (first, "2", "1"), (second, "2", "2"),
    ]  # fmt: skip
    assert [sent.body for sent in customer.received[:2]] == [sent.body for sent in customer.received[2:]]


def test_replay_counts_attempts_on_and_restarts_the_schedule(
    send: Send, run_workers: RunWorkers, customer: ScriptedServer
) -> None:
    customer.answer_next(*[DOWN] * 6)
    message = send()
    for number in range(6):
        run_workers(datetime.now(UTC) + timedelta(minutes=5.1 * number))
    customer.received.clear()
    customer.answer_next(*[DOWN] * 5)
    outbox.replay(outbox.for_message(message), datetime.now(UTC))
    for number in range(6):
        notifier.run(lambda number=number: datetime.now(UTC) + timedelta(minutes=5.1 * number))  # type: ignore[misc]
    assert [sent.headers["x-mms-attempt"] for sent in customer.received] == [str(n) for n in range(7, 13)]
    postback = message.postbacks.get(code="N101")
    assert (postback.status, postback.tries, postback.attempts.count()) == ("taken", 12, 12)


def test_later_postback_waits_for_a_replayed_one(
    send: Send, run_workers: RunWorkers, send_report: SendReport, customer: ScriptedServer
) -> None:
    message = send()
    run_workers()
    send_report("M1", "Retrieved")
    customer.received.clear()
    customer.answer_next(DOWN)
    outbox.replay(outbox.for_message(message), datetime.now(UTC))
    run_workers()
    assert [sent.headers["x-mms-sequence"] for sent in customer.received] == ["1"]
    run_workers(datetime.now(UTC) + timedelta(minutes=5.1))
    assert [sent.headers["x-mms-sequence"] for sent in customer.received] == ["1", "1", "2"]


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ("<since>2026-11-22T12:00:00+00:00</since>", ["noon", "later"]),
        ("<since>2026-11-22T12:00:00Z</since><until>2026-11-22T13:00:00+00:00</until>", ["noon"]),
        ("<since>2026-11-22T13:00:00+02:00</since><until>2026-11-22T12:00:00Z</until>", ["earlier"]),
        ("<since>2026-11-23T00:00:00+00:00</since>", []),
    ],
)
def test_replay_by_time_selects_given_up_postbacks(
    records: SimpleNamespace, other: Account, post: Post, elements: str, expected: list[str]
) -> None:
    rows = {
        "earlier": given_up(records.account, NOON - timedelta(seconds=1)),
        "noon": given_up(records.account, NOON),
        "later": given_up(records.account, NOON + timedelta(hours=1)),
    }
    given_up(other, NOON)
    given_up(records.account, NOON, code="E999")
    delivered = given_up(records.account, NOON)
    Postback.objects.filter(pk=delivered.pk).update(status="taken")
    assert f"<replayed>{len(expected)}</replayed>" in post(replay(elements)).decode()
    due = Postback.objects.filter(due_at__isnull=False, status="pending", ended_at=None)
    assert set(due) == {rows[name] for name in expected}


@pytest.mark.parametrize(
    ("elements", "info"),
    [
        ("", ONE),
        ("<until>2026-11-22T12:00:00Z</until>", "until requires since"),
        ("<tracking-id>TU1TXzE=</tracking-id><until>2026-11-22T12:00:00Z</until>", "until requires since"),
        ("<event-id>1</event-id><until>2026-11-22T12:00:00Z</until>", "until requires since"),
        ("<tracking-id>TU1TXzE=</tracking-id><since>2026-11-22T12:00:00Z</since>", ONE),
        ("<event-id>1</event-id><since>2026-11-22T12:00:00Z</since>", ONE),
        ("<event-id>1</event-id><tracking-id>TU1TXzE=</tracking-id>", ONE),
        ("<event-id>1</event-id>", "There is no event-id 1 in this account"),
        ("<event-id>first</event-id>", "There is no event-id first in this account"),
        ("<tracking-id>nonsense</tracking-id>", "There is no tracking-id nonsense in this account"),
        ("<tracking-id>TU1TXzk5OTk=</tracking-id>", "There is no tracking-id TU1TXzk5OTk= in this account"),
        (
            "<since>9999-12-31T23:59:59-23:59</since>",
            "since must be an ISO 8601 date or time, such as 2026-11-22T12:57:35Z",
        ),
        (
            "<since>yesterday</since>",
            "since must be an ISO 8601 date or time, such as 2026-11-22T12:57:35Z",
        ),
        (
            "<since>2026-11-22T12:00:00Z</since><until>2026-11-22T12:00:00Z</until>",
            "until must be later than since",
        ),
    ],
)
def test_ambiguous_or_unknown_selection_is_refused(post: Post, elements: str, info: str) -> None:
    failure = f"<status>Failure</status><error-code>E100</error-code><error-info>{info}</error-info>"
    assert post(replay(elements)) == XML + f"<response>{failure}</response>".encode()


@hypothesis.settings(
    max_examples=25, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=-23, minutes=-59))))
    | st.datetimes(timezones=st.none())
)
def test_any_time_is_accepted_or_refused(post: Post, moment: datetime) -> None:
    answer = post(replay(f"<since>{moment.isoformat()}</since><until>{moment.isoformat()}</until>"))
    assert b"<error-code>E100</error-code>" in answer
    answer = post(replay(f"<since>{moment.isoformat()}</since>"))
    assert b"<replayed>0</replayed>" in answer or b"<error-info>since must be an ISO 8601 date or time" in answer


@pytest.mark.parametrize("status", ["taken", "given-up"])
@pytest.mark.parametrize("code", ["N101", "E999"])
def test_event_id_selects_one_postback(
    records: SimpleNamespace, other: Account, post: Post, status: str, code: str
) -> None:
    one, another = given_up(records.account, NOON, code), given_up(records.account, NOON)
    Postback.objects.update(status=status)
    assert b"<replayed>1</replayed>" in post(replay(f"<event-id>{one.pk}</event-id>"))
    assert b"<replayed>0</replayed>" in post(replay(f"<event-id>{one.pk}</event-id>"))  # it is due already
    assert list(Postback.objects.exclude(due_at=None)) == [one]
    Postback.objects.filter(pk=another.pk).update(account=other)
    assert b"E100" in post(replay(f"<event-id>{another.pk}</event-id>"))


def test_json_count_is_a_number(records: SimpleNamespace) -> None:
    assert post_json({"action": "replayPostbacks", "since": "2026-11-22"})["replayed"] == 0


def test_postbacks_of_another_account_cannot_be_replayed(
    send: Send, post: Post, run_workers: RunWorkers, other: Account
) -> None:
    message = send()
    run_workers()
    request = replay(f"<tracking-id>{message.tracking_id}</tracking-id>")
    answer = post(request.replace("qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlZ", "another-key"))
    assert b"<error-code>E100</error-code>" in answer
    assert not Postback.objects.filter(due_at__isnull=False).exists()


def test_replay_of_several_batches_makes_all_due(records: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "BATCH", 2)
    rows = [given_up(records.account, NOON) for _ in range(5)]
    assert outbox.replay(Postback.objects.filter(pk__in=[row.pk for row in rows[1:]]), NOON) == 4
    assert Postback.objects.filter(due_at=NOON).count() == 4


def test_command_replays_given_up_postbacks(records: SimpleNamespace, other: Account, capsys: Capture) -> None:
    for hours in range(3):
        given_up(records.account, NOON + timedelta(hours=hours))
    given_up(other, NOON)
    period = ("--since", "2026-11-22T12:00:00", "--until", "2026-11-22T14:00:00+00:00")
    call_command("replay_postbacks", "--account", "Customer", *period)
    assert capsys.readouterr().out == "Postbacks to be sent again: 2\n"


def test_command_replays_the_postbacks_of_a_message(
    send: Send, run_workers: RunWorkers, customer: ScriptedServer, capsys: Capture
) -> None:
    message = send()
    run_workers()
    call_command("replay_postbacks", "--tracking-id", message.tracking_id)
    assert capsys.readouterr().out == "Postbacks to be sent again: 1\n"
    run_workers()
    assert len(customer.received) == 2


@pytest.mark.parametrize(
    ("arguments", "info"),
    [
        (("--account", "Nobody", "--since", "2026-11-22"), "There is no account named Nobody"),
        (("--account", "Customer"), "--since is required"),
        (("--account", "Customer", "--since", "noon"), "noon is not ISO 8601"),
        (("--tracking-id", "nonsense"), "There is no message with the tracking id nonsense"),
        ((), "one of the arguments --account --tracking-id is required"),
    ],
)
def test_command_rejects_wrong_arguments(records: SimpleNamespace, arguments: tuple[str, ...], info: str) -> None:
    with pytest.raises(CommandError, match=info):
        call_command("replay_postbacks", *arguments)
