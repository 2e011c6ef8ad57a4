"""Idempotency keys: a repeated request sends one message and gets one answer, even after a crash."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from billing import keys, ledger
from billing.models import Account, Balance, Price
from mms.messages import sweeper
from mms.models import FirstAnswer, Message, Template
from tests.api.documents import KEY, NUMBER, SEND, Elements, failure, request

WITH_KEY: Elements = {**SEND, "idempotency-key": "order 7"}
USED = "idempotency-key was used for a different request: order 7; use a new key"
ANOTHER = failure("E100", USED, NUMBER)


def post(elements: Elements, header: str = "") -> bytes:
    headers = {"Idempotency-Key": header} if header else {}
    reply = Client().post("/ep/v1/", request(elements), content_type="text/xml", headers=headers)
    return bytes(reply.content)


def accepted(answer: bytes) -> bool:
    return b"<status>Success</status>" in answer


def test_repeat_gets_the_first_answer_and_sends_nothing(records: SimpleNamespace) -> None:
    first = post(WITH_KEY)
    assert accepted(first)
    assert [post(WITH_KEY) for _ in range(3)] == [first] * 3
    assert Message.objects.count() == 1


def test_requests_without_or_with_other_keys_are_sent(records: SimpleNamespace) -> None:
    answers = {post(SEND), post(SEND), post(WITH_KEY), post({**WITH_KEY, "idempotency-key": "order 8"})}
    assert (len(answers), Message.objects.count()) == (4, 4)


def test_header_is_equivalent_to_the_parameter(records: SimpleNamespace) -> None:
    first = post(SEND, header="order 7")
    assert [post(WITH_KEY), post(WITH_KEY, header="order 7"), post(SEND, header=" order 7 ")] == [first] * 3
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("elements", "header", "reason"),
    [
        (WITH_KEY, "order 8", "idempotency-key and the header Idempotency-Key differ; send only one of them"),
        ({**SEND, "idempotency-key": ["a", "b"]}, "", "idempotency-key is given more than once"),
        ({**SEND, "idempotency-key": "x" * 201}, "", "idempotency-key has 201 characters; at most 200 are allowed"),
        (SEND, "x" * 201, "idempotency-key has 201 characters; at most 200 are allowed"),
    ],
)
def test_invalid_key_is_refused(records: SimpleNamespace, elements: Elements, header: str, reason: str) -> None:
    assert post(elements, header) == failure("E100", reason, NUMBER)
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "same",
    [
        {name: WITH_KEY[name] for name in reversed(list(WITH_KEY))},
        {**WITH_KEY, "to": f" {NUMBER}\n"},
        {**WITH_KEY, "unheard-of": "1"},
    ],
    ids=["order", "white space", "unknown element"],
)
def test_same_request_may_be_written_differently(records: SimpleNamespace, same: Elements) -> None:
    assert post(WITH_KEY) == post(same)
    assert Message.objects.count() == 1


def test_other_api_key_of_the_account_repeats_the_request(records: SimpleNamespace) -> None:
    assert post(WITH_KEY) == post({**WITH_KEY, "api-key": keys.issue(records.account)})


@pytest.mark.parametrize(
    "other",
    [
        {"to": "14044790001"},
        {"client-reference": "a"},
        {"data": "<pin>1</pin>"},
        {"custom-text": "<slide>1</slide><value>a</value>"},
        {"to": "x"},
    ],
)
def test_same_key_with_another_request_is_refused(records: SimpleNamespace, other: Elements) -> None:
    post(WITH_KEY)
    to = other.get("to")
    expected = failure("E100", USED, str(to or NUMBER))
    assert post({**WITH_KEY, **other}) == expected
    assert Message.objects.count() == 1


def test_repeat_is_answered_even_if_it_would_now_be_refused(records: SimpleNamespace) -> None:
    first = post(WITH_KEY)
    Template.objects.update(account=Account.objects.create(name="Another"))
    assert post(WITH_KEY) == first
    assert b"E241" in post(SEND)


def test_accounts_do_not_share_keys(records: SimpleNamespace) -> None:
    post(WITH_KEY)
    other = keys.issue(Account.objects.create(name="Another"))
    assert b"E111" in post({**WITH_KEY, "api-key": other})


def test_refused_request_may_be_corrected_with_its_key(records: SimpleNamespace) -> None:
    Price.objects.create(message_class="mms", amount=50)
    assert b"E713" in post(WITH_KEY)
    assert not FirstAnswer.objects.exists()
    ledger.top_up(records.account, 50, "", timezone.now())
    assert accepted(post(WITH_KEY))
    assert accepted(post(WITH_KEY))
    assert Balance.objects.get().reserved == 50


def age(**hours: float) -> datetime:
    now = timezone.now()
    FirstAnswer.objects.update(created_at=now - timedelta(**hours))
    return now


@pytest.mark.parametrize("swept", [False, True])
def test_key_is_valid_for_a_day(records: SimpleNamespace, *, swept: bool) -> None:
    first = post(WITH_KEY)
    now = age(hours=23, minutes=59)
    sweeper.sweep(now)
    assert post(WITH_KEY) == first
    now = age(hours=24)
    if swept:
        sweeper.sweep(now)
        assert not FirstAnswer.objects.exists()
    second = post({**WITH_KEY, "client-reference": "the next day"})
    assert accepted(second)
    assert second != first
    assert post({**WITH_KEY, "client-reference": "the next day"}) == second


def test_sweep_deletes_more_than_one_batch(records: SimpleNamespace) -> None:
    now = timezone.now()
    FirstAnswer.objects.bulk_create(
        FirstAnswer(account=records.account, key=str(n), created_at=now - timedelta(hours=24 if n else 1))
        for n in range(2 * sweeper.BATCH + 5)
    )
    sweeper.sweep(now)
    assert list(FirstAnswer.objects.values_list("key", flat=True)) == ["0"]


def call_at_once(calls: int, call: Callable[[int], bytes]) -> list[bytes]:
    """Return the answers to concurrent calls, each over a database connection of its own."""

    def closing(number: int) -> bytes:
        try:
            return call(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(calls) as pool:
        return list(pool.map(closing, range(calls)))


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_concurrent_repeats_are_sent_once_with_one_answer(records: SimpleNamespace) -> None:
    Price.objects.create(message_class="mms", amount=50)
    ledger.top_up(records.account, 50, "", timezone.now())  # funds for exactly one
    answers = call_at_once(8, lambda _: post(WITH_KEY))
    assert len(set(answers)) == 1
    assert accepted(answers[0])
    assert Message.objects.count() == 1
    assert ledger.reconcile() == []


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_concurrent_requests_with_one_key_are_sent_once(records: SimpleNamespace) -> None:
    answers = call_at_once(4, lambda number: post({**WITH_KEY, "client-reference": str(number)}))
    assert sorted(map(accepted, answers)) == [False, False, False, True]
    assert answers.count(ANOTHER) == 3
    assert Message.objects.count() == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_crash_before_commit_leaves_neither_key_nor_message(records: SimpleNamespace) -> None:
    with connection.cursor() as cursor:
        # The server ends the connection at the last step before the commit, as it does when its client is killed.
        cursor.execute("""
            CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
            CREATE TRIGGER die BEFORE UPDATE ON mms_firstanswer FOR EACH ROW EXECUTE FUNCTION die();
        """)
    try:
        assert b"E503" in post(WITH_KEY)
        connection.close()
        assert (Message.objects.count(), FirstAnswer.objects.count()) == (0, 0)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER die ON mms_firstanswer; DROP FUNCTION die()")
    assert accepted(post(WITH_KEY))
    assert (Message.objects.count(), FirstAnswer.objects.count()) == (1, 1)


def test_header_works_with_json(records: SimpleNamespace) -> None:
    elements = {"action": "sendSavedMMS", "to": NUMBER, "from": "28444", "service-id": "12345", "mms-id": "35674"}
    headers = {"x-api-key": KEY, "Idempotency-Key": "order 7"}
    first, repeat = (
        Client().post("/ep/v2/", json.dumps(elements), "application/json", headers=headers) for _ in range(2)
    )
    assert first.json()["status"] == "Success"
    assert (first.content, Message.objects.count()) == (repeat.content, 1)
