"""Checks against the stale cache: they accept nothing that current data forbids, and never refuse."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.test import Client
from django.utils import timezone

from base import stale_cache
from base.stale_cache import Freshness
from billing import keys, ledger
from billing.models import Balance, BlockedNumber, Price, SenderAddress
from mms.models import Message, Template
from tests.api.documents import KEY, NUMBER, SEND, request

Change = Callable[[SimpleNamespace], object]


def send(**elements: str) -> bytes:
    return bytes(Client().post("/ep/v1/", request({**SEND, **elements}), content_type="text/xml").content)


def accepted(answer: bytes) -> bool:
    return b"<status>Success</status>" in answer


def update_account(**changes: object) -> Change:
    return lambda records: type(records.account).objects.update(**changes)


def update_senders(**changes: object) -> Change:
    return lambda _: SenderAddress.objects.update(**changes)


def update_templates(**changes: object) -> Change:
    return lambda _: Template.objects.update(**changes)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda records: records.account.api_keys.update(revoked_at=timezone.now()), "E104"),
        (lambda records: records.account.api_keys.update(allowed_actions=["savemms"]), "E107"),
        (lambda records: records.account.api_keys.all().delete(), "E104"),
        (update_account(status="blocked"), "E103"),
        (update_account(status="billing-suspended"), "E713"),
        (update_account(api_access=False), "E105"),
        (update_account(allowed_networks=["192.0.2.1"]), "E112"),
        (update_account(fallback_text_required=True), "E622"),
        (lambda records: records.account.blocked_numbers.create(number=NUMBER), "E114"),
        (lambda _: BlockedNumber.objects.create(number=NUMBER), "E114"),
        (update_templates(deleted_at=timezone.now()), "E241"),
        (lambda _: Balance.objects.update(balance=0), "E713"),
    ],
)
def test_cached_permission_ends_immediately(records: SimpleNamespace, change: Change, code: str) -> None:
    Price.objects.create(message_class="mms", amount=1)
    ledger.top_up(records.account, 100, "", timezone.now())
    assert accepted(send())
    change(records)
    assert f"<error-code>{code}</error-code>".encode() in send()
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (update_senders(address="28445"), update_senders(address="28444")),
        (update_account(status="blocked"), update_account(status="active")),
        (update_templates(status="encoding"), update_templates(status="ready")),
        (update_account(minimum_interval=60_000), update_account(minimum_interval=0)),
    ],
)
def test_cached_refusal_ends_immediately(records: SimpleNamespace, before: Change, after: Change) -> None:
    before(records)
    send()
    assert not accepted(send())
    after(records)
    assert accepted(send())


def test_call_checked_twice_is_counted_once(records: SimpleNamespace) -> None:
    update_account(minimum_interval=60_000)(records)
    records.account.blocked_numbers.create(number=NUMBER)
    assert b"<error-code>E114</error-code>" in send()
    assert b"<error-code>E106</error-code>" in send(to="14044790001")


def test_call_is_counted_once_when_limits_change(records: SimpleNamespace) -> None:
    update_account(minimum_interval=60_000)(records)
    assert keys.find(KEY, Freshness.CACHED)
    update_account(minimum_interval=50_000)(records)
    assert accepted(send())


def test_cached_price_is_billed_until_it_expires(records: SimpleNamespace) -> None:
    Price.objects.create(message_class="mms", amount=10)
    ledger.top_up(records.account, 100, "", timezone.now())
    send()
    Price.objects.update(amount=20)
    send()
    stale_cache.clear()
    send()
    assert list(Message.objects.order_by("pk").values_list("reserved", flat=True)) == [10, 10, 20]
