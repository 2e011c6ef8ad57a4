"""Authorization: client addresses, allowed actions and rate limits of an account."""

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
from tests.api.documents import KEY, NUMBER, SAVE, SEND, exhaust_rate_limits, failure, request
from tests.api.sockets import tcp_server, wait_for_close

SetAccount = Callable[..., None]


@pytest.fixture
def set_account(records: SimpleNamespace) -> SetAccount:
    def set_account(**settings: object) -> None:
        Account.objects.filter(pk=records.account.pk).update(**settings)

    return set_account


def send(address: str = "203.0.113.9", forwarded: str = "", key: str = KEY) -> bytes:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    body = request({**SEND, "api-key": key})
    reply = Client(REMOTE_ADDR=address).post("/ep/v1/", body, content_type="text/xml", headers=headers)
    return bytes(reply.content)


def accepted(answer: bytes) -> bool:
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
def test_only_allowed_addresses_may_call(set_account: SetAccount, address: str, allowed: bool) -> None:
    set_account(allowed_networks=["203.0.113.0/24", "2001:db8::1"])
    refusal = failure(
        "E112",
        f"Requests from {address} are not allowed for this account; contact support to allow this address",
        NUMBER,
    )
    answer = send(address)
    assert accepted(answer) if allowed else answer == refusal


@pytest.mark.parametrize(
    ("address", "forwarded", "client"),
    [
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),  # not a trusted proxy: its header is ignored
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (
            "10.0.0.1",
            "203.0.113.9, 198.51.100.1, 10.0.0.2",
            "198.51.100.1",
        ),  # the client wrote the first
        ("10.0.0.1", "203.0.113.9, unknown", "unknown"),
        ("10.0.0.1", ",,", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_client_address_is_the_one_that_trusted_proxies_report(
    set_account: SetAccount, settings: Settings, address: str, forwarded: str, client: str
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    set_account(allowed_networks=["203.0.113.9"])
    answer = send(address, forwarded)
    if client == "203.0.113.9":
        assert accepted(answer)
    else:
        assert answer == failure(
            "E112",
            f"Requests from {client} are not allowed for this account; contact support to allow this address",
            NUMBER,
        )


# --- E107 ---------------------------------------------------------------------------------------------------------


def test_key_is_limited_to_its_actions(records: SimpleNamespace) -> None:
    key = keys.issue(records.account, actions=["sendsavedmms"])
    assert accepted(send(key=key))
    body = request({**SAVE, "api-key": key})
    answer = Client().post("/ep/v1/", body, content_type="text/xml").content
    assert answer == failure("E107", "This api-key may not be used for saveMMS; use another key of the account")


# --- last use -----------------------------------------------------------------------------------------------------


def test_key_use_is_recorded_once_per_minute(records: SimpleNamespace) -> None:
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
        {"idempotency-key": "a"},  # costs more than the balance
        {"action": "loginUser"},
    ],
)
def test_refused_call_records_key_use(records: SimpleNamespace, changed: dict[str, str]) -> None:
    Price.objects.create(message_class="mms", amount=1)
    body = request({**SEND, **changed})
    Client().post("/ep/v1/", body, content_type="text/xml")
    assert ApiKey.objects.get().last_used_at is not None
    assert not Message.objects.exists()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_accept_does_not_wait_for_a_locked_key(records: SimpleNamespace) -> None:
    def closing() -> bytes:
        try:
            return send()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        ApiKey.objects.update(last_used_at=timezone.now())
        assert accepted(pool.submit(closing).result(timeout=10))


# --- E106, E113 ---------------------------------------------------------------------------------------------------

TOO_EARLY = failure("E106", "Requests must be at least 60000 ms apart; wait, then retry", NUMBER)
TOO_MANY = failure("E113", "The rate limit of this action is 1 per second; wait, then retry", NUMBER)


@pytest.fixture
def counts() -> redis.Redis:
    return redis.Redis.from_url(configured.REDIS_URL)


def test_call_within_the_interval_is_refused(
    set_account: SetAccount, records: SimpleNamespace, counts: redis.Redis
) -> None:
    set_account(minimum_interval=60_000)
    assert accepted(send())
    assert send() == TOO_EARLY
    (key,) = counts.keys(f"rate-limit:{{{records.account.pk}}}:*")
    assert 0 < counts.pttl(key) <= 60_000
    counts.pexpire(key, 0)  # the interval has passed
    assert accepted(send())


def test_refused_call_does_not_restart_the_interval(
    set_account: SetAccount, records: SimpleNamespace, counts: redis.Redis
) -> None:
    set_account(minimum_interval=60_000)
    send()
    key = f"rate-limit:{{{records.account.pk}}}:interval"
    counts.pexpire(key, 30_000)
    assert send() == TOO_EARLY
    assert counts.pttl(key) <= 30_000


def test_throughput_refusal_does_not_start_the_interval(records: SimpleNamespace, counts: redis.Redis) -> None:
    records.account.minimum_interval, records.account.throughput = 60_000, {"sendSavedMMS": 1}
    exhaust_rate_limits(records.account)
    counts.delete(f"rate-limit:{{{records.account.pk}}}:interval")
    assert [RateLimiter().count(limits_of(records.account, "sendsavedmms")) for _ in range(2)] == ["E113", "E113"]


def test_action_without_throughput_is_not_limited(set_account: SetAccount, records: SimpleNamespace) -> None:
    set_account(throughput={"SendSavedMMS": 1})
    answers = [send() for _ in range(20)]
    assert accepted(answers[0])
    assert TOO_MANY in answers
    save = Client().post("/ep/v1/", request(SAVE), content_type="text/xml").content
    assert accepted(save)


def test_throughput_holds_in_any_second_across_processes(records: SimpleNamespace) -> None:
    account = records.account
    account.throughput = {"sendSavedMMS": 20}
    end = monotonic() + 1.5

    def call_on(limiter: RateLimiter) -> list[tuple[float, float]]:
        """Return when each allowed call began and ended, counted as in a process of its own."""
        allowed_at = []
        while (before := monotonic()) < end:
            if not limiter.count(limits_of(account, "sendsavedmms")):
                allowed_at.append((before, monotonic()))
        return allowed_at

    with ThreadPoolExecutor(4) as pool:
        calls = sorted(call for calls in pool.map(call_on, [RateLimiter() for _ in range(4)]) for call in calls)
    assert len(calls) >= 20
    for first in range(len(calls) - 20):
        window = calls[first : first + 21]
        assert max(after for _, after in window) - min(before for before, _ in window) >= 1.0


def test_lost_counts_start_again(set_account: SetAccount, records: SimpleNamespace, counts: redis.Redis) -> None:
    set_account(minimum_interval=60_000)
    send()
    counts.script_flush()
    assert send() == TOO_EARLY
    counts.delete(*counts.keys(f"rate-limit:{{{records.account.pk}}}:*"))
    assert accepted(send())
    assert send() == TOO_EARLY


def test_unreachable_server_allows_calls_and_logs_it(
    records: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    records.account.minimum_interval = 60_000
    with tcp_server(lambda connection: connection.close()) as server:
        port = server.port
    limiter = RateLimiter(redis.Redis.from_url(f"redis://127.0.0.1:{port}", retry=None))
    assert [limiter.count(limits_of(records.account, "sendsavedmms")) for _ in range(3)] == ["", "", ""]
    assert caplog.text.count("rate limits are not enforced") == 1


def test_hanging_server_delays_one_call(records: SimpleNamespace) -> None:
    records.account.minimum_interval = 60_000
    with tcp_server(wait_for_close) as server:
        limiter = RateLimiter(redis.Redis.from_url(f"redis://127.0.0.1:{server.port}", socket_timeout=0.2, retry=None))
        assert [limiter.count(limits_of(records.account, "sendsavedmms")) for _ in range(5)] == [""] * 5
        assert server.connections == 1
        limiter.server.close()


def test_alias_is_the_same_action(records: SimpleNamespace) -> None:
    body = request({"action": "getMmsIds", "api-key": keys.issue(records.account, actions=["getmmstemplates"])})
    assert accepted(Client().post("/ep/v1/", body, content_type="text/xml").content)
    body = request({"action": "getMmsIds", "api-key": keys.issue(records.account, actions=["savemms"])})
    refusal = failure("E107", "This api-key may not be used for getMmsIds; use another key of the account")
    assert Client().post("/ep/v1/", body, content_type="text/xml").content == refusal


def test_key_can_be_limited_to_any_action() -> None:
    assert {*Action.values, *ALIASES} == ACTIONS.keys()
