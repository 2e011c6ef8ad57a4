"""Accept batches: concurrent requests are accepted in one transaction, and each gets its own outcome."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace

import psycopg
import pytest
from django.db import connection
from django.test import Client

from base.stale_cache import Freshness
from billing import ledger
from billing.models import Account, Balance, Price
from mms.api import accept_alone
from mms.api.accept_batch import ACCEPTS
from mms.messages.accept import Accepted, Outdated, TemplateDeleted, accept
from mms.messages.request import SendRequest
from mms.models import Message, Template
from tests.api.documents import SEND, request
from tests.processes.platform_under_test import eventually

CUSTOMERS = 8


def now() -> datetime:
    return datetime.now(UTC)


def send_request(records: SimpleNamespace, number: str, **changes: object) -> SendRequest:
    defaults = {
        "account": records.account, "sender": "28444", "carrier": records.carrier, "template": records.template,
        "service": records.service, "country": "US", "subject": "Spring is here",
    }  # fmt: skip
    return SendRequest(number=number, **{**defaults, **changes})


def test_rejected_requests_leave_the_others_accepted(records: SimpleNamespace) -> None:
    key = records.account.api_keys.select_related("account").get()
    records.account.blocked_numbers.create(number="14044790001")
    deleted = Template.objects.create(account=records.account, name="Gone", deleted_at=now())
    revoked = records.account.api_keys.create(prefix="a", digest="a", revoked_at=now())
    outcomes = accept(
        [
            send_request(records, "14044790000", key=key, freshness=Freshness.CACHED),
            send_request(records, "14044790001", key=key, freshness=Freshness.CACHED),
            send_request(records, "14044790002", key=key, freshness=Freshness.CACHED, template=deleted),
            send_request(records, "14044790003", key=revoked, freshness=Freshness.CACHED),
            send_request(records, "14044790004", key=key, freshness=Freshness.CACHED),
        ],
        now(),
    )
    assert [type(outcome) for outcome in outcomes] == [Accepted, Outdated, TemplateDeleted, Outdated, Accepted]
    stored = Message.objects.order_by("pk")
    assert [outcome.message for outcome in outcomes if isinstance(outcome, Accepted)] == list(stored)
    assert [message.number for message in stored] == ["14044790000", "14044790004"]
    assert [message.events.get().text for message in stored] == ["to AT&T from 28444"] * 2


def test_each_request_is_compared_with_its_own_key(records: SimpleNamespace) -> None:
    """The two requests use one key, which changed between the checks."""
    old = records.account.api_keys.select_related("account").get()
    Account.objects.update(allowed_networks=["192.0.2.1"])
    new = records.account.api_keys.select_related("account").get()
    outcomes = accept(
        [
            send_request(records, "14044790000", key=old, freshness=Freshness.CACHED),
            send_request(records, "14044790001", key=new, freshness=Freshness.CACHED),
        ],
        now(),
    )
    assert [type(outcome) for outcome in outcomes] == [Outdated, Accepted]


def test_funds_cover_as_many_requests_as_they_can(records: SimpleNamespace) -> None:
    other = Account.objects.create(name="Other")
    Price.objects.create(message_class="mms", amount=50)
    ledger.top_up(records.account, 120, "", now())
    ledger.top_up(other, 1000, "", now())
    outcomes = accept(
        [send_request(records, f"1404479000{n}", account=records.account if n % 2 else other) for n in range(8)], now()
    )
    accepted = [outcome.message.number[-1] for outcome in outcomes if isinstance(outcome, Accepted)]
    assert accepted == ["0", "1", "2", "3", "4", "6"]
    assert dict(Balance.objects.values_list("account", "reserved")) == {records.account.pk: 100, other.pk: 200}
    assert ledger.reconcile() == []


def test_message_stores_every_field_of_the_request(records: SimpleNamespace) -> None:
    (outcome,) = accept([send_request(records, "14044790000", data={"a": "é\n"}, texts={"1": '"'}, device="x")], now())
    assert isinstance(outcome, Accepted)
    stored = Message.objects.get()
    columns = [field.attname for field in Message._meta.concrete_fields]
    assert {name: getattr(stored, name) for name in columns} == {
        name: getattr(outcome.message, name) for name in columns
    }


def send(number: int, **changes: str) -> bytes:
    return post(request({**SEND, "to": f"140447900{number:02}", **changes}))


def post(body: bytes) -> bytes:
    try:
        return bytes(Client().post("/ep/v1/", body, content_type="text/xml").content)
    finally:
        connection.close()


# --- many threads -------------------------------------------------------------------------------------------------

committing = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let batches wait for locks for as long as a busy machine needs to start the other threads."""
    monkeypatch.setattr(accept_alone, "BRIEF_WAIT", 4.0)


def send_concurrently(while_blocked: Callable[[int], object], send: Callable[[int], bytes] = send) -> list[bytes]:
    """Return the answers to requests of which the first waits for a locked template, and the others for the first.

    `while_blocked` is called with the PID of the database process of the first.
    """
    waiting = "SELECT pid FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    send(0)  # fills the stale cache
    with ThreadPoolExecutor(CUSTOMERS) as pool:
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute("SELECT FROM mms_template FOR UPDATE")
            answers = [pool.submit(send, 1)]
            ((pid,),) = eventually(lambda: other.execute(waiting).fetchall())
            answers += [pool.submit(send, number) for number in range(2, CUSTOMERS + 1)]
            eventually(lambda: ACCEPTS.waiting == CUSTOMERS - 1)
            while_blocked(pid)
        return [answer.result() for answer in answers]


def terminate(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


def numbers() -> list[str]:
    return list(Message.objects.order_by("number").values_list("number", flat=True))


ALL = [f"140447900{number:02}" for number in range(CUSTOMERS + 1)]


@committing
def test_waiting_requests_share_a_transaction(records: SimpleNamespace) -> None:
    answers = send_concurrently(lambda _: None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT ON (xmin::text) count(*) OVER (PARTITION BY xmin::text) FROM mms_message")
        assert sorted(cursor.fetchall()) == [(1,), (1,), (CUSTOMERS - 1,)]
    tracking_ids = [re.findall(b"<tracking-id>(.+)</tracking-id>", answer)[0].decode() for answer in answers]
    stored = {message.number: message.tracking_id for message in Message.objects.all()}
    assert tracking_ids == [stored[number] for number in ALL[1:]]


@committing
def test_refused_requests_leave_their_batch_accepted(records: SimpleNamespace) -> None:
    def mixed(number: int) -> bytes:
        match number:
            case 2:
                return post(b"<request><action>sendSavedMMS</action>")
            case 3:
                return send(number, **{"from": "99999"})
            case 4:
                return send(number, **{"api-key": "sendSavedMMS"})
        return send(number)

    answers = send_concurrently(lambda _: None, mixed)
    codes = [re.findall(b"<error-code>(.+)</error-code>", answer) for answer in answers]
    assert codes == [[], [b"E108"], [b"E111"], [b"E104"], [], [], [], []]
    assert numbers() == [number for number in ALL if number[-1] not in "234"]


@committing
def test_connection_lost_before_commit_loses_no_request(records: SimpleNamespace) -> None:
    answers = send_concurrently(terminate)
    assert all(b"<status>Success</status>" in answer for answer in answers)
    assert numbers() == ALL


@committing
def test_unstorable_request_gets_e503_and_the_rest_accepted(records: SimpleNamespace) -> None:
    def forbid(_: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE mms_message ADD CONSTRAINT no CHECK (number <> '14044790003') NOT VALID")

    try:
        answers = send_concurrently(forbid)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE mms_message DROP CONSTRAINT no")
    assert [b"<error-code>E503</error-code>" in answer for answer in answers].count(True) == 1
    assert numbers() == [number for number in ALL if number != "14044790003"]


@committing
def test_unknown_commit_outcome_sends_nothing_again(records: SimpleNamespace) -> None:
    def die_at_the_commit(_: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("""
                CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
                CREATE CONSTRAINT TRIGGER die AFTER INSERT ON mms_message DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION die();
            """)

    try:
        answers = send_concurrently(die_at_the_commit)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER die ON mms_message; DROP FUNCTION die()")
    assert all(b"<error-code>E503</error-code>" in answer for answer in answers)
    assert numbers() == ALL[:1]
