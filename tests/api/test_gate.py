"""Who may call from where, for what, and how often."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic
from types import SimpleNamespace

import pytest
import redis
from django.conf import settings as configured
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from billing import keys
from billing.actions import Action
from billing.models import Account, ApiKey, Price
from mms.api.actions import ACTIONS
from mms.api.authorization import ALIASES
from mms.api.rate_limits import RateLimiter, limits_of
from mms.models import Message
from tests.api.documents import KEY, NUMBER, SAVE, SEND, called_just_now, failure, request
from tests.api.sockets import listening, wait_for_the_client_to_leave

Limit = Callable[..., None]


@pytest.fixture
def limit(world: SimpleNamespace) -> Limit:
    def limit(**settings: object) -> None:
        Account.objects.filter(pk=world.account.pk).update(**settings)

    return limit


def send(address: str = "203.0.113.9", forwarded: str = "", key: str = KEY) -> bytes:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    body = request({**SEND, "api-key": key})
    reply = Client(REMOTE_ADDR=address).post("/ep/v1/", body, content_type="text/xml", headers=headers)
    return bytes(reply.content)


def taken(answer: bytes) -> bool:
    return b"<status>Success</status>" in answer


# --- E112 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("203.0.113.9", True),
        ("203.0.113.255", True),
        ("203.0.114.0", False),
        ("::ffff:203.0.113.9", True),
        ("2001:db8::1", True),
        ("2001:db8::2", False),
        ("", False),
        ("unix:", False),
    ],
)
def test_only_addresses_of_the_list_may_call(limit: Limit, address: str, allowed: bool) -> None:
    limit(allowed_networks=["203.0.113.0/24", "2001:db8::1"])
    refusal = failure(
        "E112", f"Calls from {address} are not allowed for this account; have the address added to its list", NUMBER
    )
    answer = send(address)
    assert taken(answer) if allowed else answer == refusal


@pytest.mark.parametrize(
    ("address", "forwarded", "caller"),
    [
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),  # no proxy of ours: its word counts for nothing
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"),  # the caller wrote the first himself
        ("10.0.0.1", "203.0.113.9, who knows", "who knows"),
        ("10.0.0.1", ",,", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_behind_our_proxies_the_address_that_they_saw_counts(
    limit: Limit, settings: Settings, address: str, forwarded: str, caller: str
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    limit(allowed_networks=["203.0.113.9"])
    answer = send(address, forwarded)
    if caller == "203.0.113.9":
        assert taken(answer)
    else:
        assert answer == failure(
            "E112", f"Calls from {caller} are not allowed for this account; have the address added to its list", NUMBER
        )


# --- E107 ---------------------------------------------------------------------------------------------------------


def test_a_key_may_be_used_for_its_actions_alone(world: SimpleNamespace) -> None:
    key = keys.issue(world.account, actions=["sendsavedmms"])
    assert taken(send(key=key))
    body = request({**SAVE, "api-key": key})
    answer = Client().post("/ep/v1/", body, content_type="text/xml").content
    assert answer == failure("E107", "This api-key may not be used for saveMMS; use another key of the account")


# --- last use -----------------------------------------------------------------------------------------------------


def test_the_last_use_of_a_key_is_noted_once_a_minute(world: SimpleNamespace) -> None:
    def last_used() -> object:
        return ApiKey.objects.values_list("last_used_at", flat=True).get()

    assert last_used() is None
    send()
    first = last_used()
    send()
    assert last_used() == first is not None
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    send()
    assert timezone.now() - ApiKey.objects.get().last_used_at < timedelta(seconds=30)  # type: ignore[operator]


@pytest.mark.parametrize(
    "changed",
    [
        {"to": "1"},
        {"action": "sendFax"},
        {"dry-run": "true"},
        {"idempotency-key": "a", "mms-id": "1"},
        {"idempotency-key": "a"},  # which costs more than there is
        {"action": "loginUser"},
    ],
)
def test_the_use_of_a_key_is_noted_whatever_becomes_of_the_call(
    world: SimpleNamespace, changed: dict[str, str]
) -> None:
    Price.objects.create(message_class="mms", amount=1)
    body = request({**SEND, **changed})
    Client().post("/ep/v1/", body, content_type="text/xml")
    assert ApiKey.objects.get().last_used_at is not None
    assert not Message.objects.exists()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_no_accept_waits_for_another_that_notes_the_use_of_its_key(world: SimpleNamespace) -> None:
    def closing() -> bytes:
        try:
            return send()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        ApiKey.objects.update(last_used_at=timezone.now())
        assert taken(pool.submit(closing).result(timeout=10))


# --- E106, E113 ---------------------------------------------------------------------------------------------------

TOO_SOON = failure("E106", "Calls must be 60000 ms apart; wait and send it again", NUMBER)
TOO_MANY = failure("E113", "More than 1 calls of this action in a second; wait and send it again", NUMBER)


@pytest.fixture
def counts() -> redis.Redis:
    return redis.Redis.from_url(configured.REDIS_URL)


def test_a_call_before_the_interval_is_over_is_refused(
    limit: Limit, world: SimpleNamespace, counts: redis.Redis
) -> None:
    limit(minimum_interval=60_000)
    assert taken(send())
    assert send() == TOO_SOON
    (key,) = counts.keys(f"pace:{{{world.account.pk}}}:*")
    assert 0 < counts.pttl(key) <= 60_000
    counts.pexpire(key, 0)  # the interval is over
    assert taken(send())


def test_a_refused_call_does_not_begin_the_interval_anew(
    limit: Limit, world: SimpleNamespace, counts: redis.Redis
) -> None:
    limit(minimum_interval=60_000)
    send()
    key = f"pace:{{{world.account.pk}}}:interval"
    counts.pexpire(key, 30_000)
    assert send() == TOO_SOON
    assert counts.pttl(key) <= 30_000


def test_a_call_that_is_refused_for_the_throughput_does_not_begin_the_interval(
    world: SimpleNamespace, counts: redis.Redis
) -> None:
    world.account.minimum_interval, world.account.throughput = 60_000, {"sendSavedMMS": 1}
    called_just_now(world.account)
    counts.delete(f"pace:{{{world.account.pk}}}:interval")
    assert [RateLimiter().count(limits_of(world.account, "sendsavedmms")) for _ in range(2)] == ["E113", "E113"]


def test_an_action_without_a_throughput_is_not_counted(limit: Limit, world: SimpleNamespace) -> None:
    limit(throughput={"SendSavedMMS": 1})
    answers = [send() for _ in range(20)]
    assert taken(answers[0])
    assert TOO_MANY in answers
    save = Client().post("/ep/v1/", request(SAVE), content_type="text/xml").content
    assert taken(save)


def test_no_second_has_more_calls_than_the_throughput_whoever_counts(world: SimpleNamespace) -> None:
    account = world.account
    account.throughput = {"sendSavedMMS": 20}
    end = monotonic() + 1.5

    def call_on(pace: RateLimiter) -> list[tuple[float, float]]:
        """Between which moments each call was that was let through, counted as a process of its own would."""
        let_through = []
        while (before := monotonic()) < end:
            if not pace.count(limits_of(account, "sendsavedmms")):
                let_through.append((before, monotonic()))
        return let_through

    with ThreadPoolExecutor(4) as pool:
        calls = sorted(call for calls in pool.map(call_on, [RateLimiter() for _ in range(4)]) for call in calls)
    assert len(calls) >= 20
    for first in range(len(calls) - 20):
        window = calls[first : first + 21]
        assert max(after for _, after in window) - min(before for before, _ in window) >= 1.0


def test_counts_that_are_lost_begin_anew(limit: Limit, world: SimpleNamespace, counts: redis.Redis) -> None:
    limit(minimum_interval=60_000)
    send()
    counts.script_flush()
    assert send() == TOO_SOON
    counts.delete(*counts.keys(f"pace:{{{world.account.pk}}}:*"))
    assert taken(send())
    assert send() == TOO_SOON


def test_without_the_server_every_call_is_let_through_and_it_is_said(
    world: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    world.account.minimum_interval = 60_000
    with listening(lambda connection: connection.close()) as server:
        port = server.port
    pace = RateLimiter(redis.Redis.from_url(f"redis://127.0.0.1:{port}", retry=None))
    assert [pace.count(limits_of(world.account, "sendsavedmms")) for _ in range(3)] == ["", "", ""]
    assert caplog.text.count("rate limits are not enforced") == 1


def test_a_server_that_hangs_is_waited_for_once(world: SimpleNamespace) -> None:
    world.account.minimum_interval = 60_000
    with listening(wait_for_the_client_to_leave) as server:
        pace = RateLimiter(redis.Redis.from_url(f"redis://127.0.0.1:{server.port}", socket_timeout=0.2, retry=None))
        assert [pace.count(limits_of(world.account, "sendsavedmms")) for _ in range(5)] == [""] * 5
        assert server.connections == 1
        pace.server.close()


def test_an_action_is_the_same_under_its_other_name(world: SimpleNamespace) -> None:
    body = request({"action": "getMmsIds", "api-key": keys.issue(world.account, actions=["getmmstemplates"])})
    assert taken(Client().post("/ep/v1/", body, content_type="text/xml").content)
    body = request({"action": "getMmsIds", "api-key": keys.issue(world.account, actions=["savemms"])})
    refusal = failure("E107", "This api-key may not be used for getMmsIds; use another key of the account")
    assert Client().post("/ep/v1/", body, content_type="text/xml").content == refusal


def test_a_key_can_be_allowed_any_action_of_the_api() -> None:
    assert {*Action.values, *ALIASES} == ACTIONS.keys()
