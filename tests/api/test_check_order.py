"""The order of checks: a request with many faults reports the first; fixing it reveals the next."""

import re
from collections.abc import Callable
from types import SimpleNamespace

import redis
from django.conf import settings

from tests.api.documents import SAVE, SEND, exhaust_rate_limits, request

CallApi = Callable[[bytes], bytes]


def first_fault(answer: bytes) -> str:
    code, info = re.findall(r"<error-(?:code|info)>(.*?)</error", answer.decode())
    return f"{code} {info.partition(' ')[0]}"


def test_sendsavedmms_reports_faults_in_the_documented_order(records: SimpleNamespace, call_api: CallApi) -> None:
    account = records.account
    account.status, account.api_access, account.fallback_text_required = "blocked", False, True
    account.allowed_networks, account.minimum_interval, account.throughput = ["192.0.2.1"], 60_000, {"sendSavedMMS": 1}
    account.save()
    account.api_keys.update(allowed_actions=["savemms"])
    account.blocked_numbers.create(number=SEND["to"])
    account.senders.update(operators=[31003])
    type(records.carrier).objects.update(enabled=False)
    exhaust_rate_limits(account)
    counts = redis.Redis.from_url(settings.REDIS_URL)
    prefixes = records.carrier.prefixes
    number = prefixes.get()
    number.delete()
    elements: dict[str, str | list[str] | None] = {
        "to": "1",
        "operator-id": "x",
        "data": ["", ""],
        "custom-subject": "x" * 81,
        "custom-text": "<value>a</value>",
        "ddm-force": "yes",
        "ddm-message-subject": "x" * 81,
        "ddm-message-text": "x" * 5001,
        "ddm-message-timeout": "0",
        "device": "x" * 501,
        "client-reference": "x" * 201,
    }

    def update_account(**changes: object) -> None:
        type(account).objects.filter(pk=account.pk).update(**changes)

    fixes: list[tuple[str, Callable[[], object]]] = [
        ("E100 action", lambda: elements.update({"action": "unknown"})),
        ("E104 api-key", lambda: elements.update({"api-key": SEND["api-key"]})),
        ("E103 This", lambda: update_account(status="billing-suspended")),
        ("E105 This", lambda: update_account(api_access=True)),
        ("E112 Requests", lambda: update_account(allowed_networks=[])),
        ("E107 The", lambda: elements.update({"action": "sendSavedMMS"})),
        ("E107 This", lambda: account.api_keys.update(allowed_actions=[])),
        ("E106 Requests", lambda: counts.delete(f"rate-limit:{{{account.pk}}}:interval")),
        ("E113 The", lambda: update_account(throughput={}, minimum_interval=0)),
        ("E110 to", lambda: elements.update({"to": "447700900123"})),
        ("E111 from", lambda: elements.update({"from": SEND["from"]})),
        ("E620 mms-id", lambda: elements.update({"mms-id": SEND["mms-id"]})),
        ("E627 service-id", lambda: elements.update({"service-id": SEND["service-id"]})),
        ("E650 operator-id", lambda: elements.update({"operator-id": None})),
        ("E622 fallback-sms-text", lambda: update_account(fallback_text_required=False)),
        ("E100 data", lambda: elements.update({"data": None})),
        ("E314 custom-subject:", lambda: elements.update({"custom-subject": None})),
        ("E100 custom-text:", lambda: elements.update({"custom-text": None})),
        ("E100 ddm-force", lambda: elements.update({"ddm-force": None})),
        ("E314 ddm-message-subject:", lambda: elements.update({"ddm-message-subject": None})),
        ("E228 ddm-message-text", lambda: elements.update({"ddm-message-text": None})),
        ("E100 ddm-message-timeout", lambda: elements.update({"ddm-message-timeout": None})),
        ("E100 device", lambda: elements.update({"device": None})),
        ("E100 client-reference", lambda: elements.update({"client-reference": None})),
        ("E111 from:", lambda: elements.update({"to": SEND["to"]})),
        ("E114 The", lambda: account.blocked_numbers.all().delete()),
        ("E618 The", lambda: prefixes.create(prefix="1")),
        ("E619 The", lambda: account.senders.update(operators=[31002])),
        ("E628 The", lambda: type(records.carrier).objects.update(enabled=True)),
        ("E713 The", lambda: update_account(status="active")),
    ]
    reported = []
    for _, fix in fixes:
        reported.append(first_fault(call_api(request(elements))))
        fix()
    assert reported == [expected for expected, _ in fixes]
    assert b"Success" in call_api(request(elements))


def test_savemms_reports_faults_in_the_documented_order(call_api: CallApi) -> None:
    elements = {"action": "saveMMS", "api-key": SAVE["api-key"], "slide": ["<message-text>a</message-text>"] * 9}
    fixes: list[tuple[str, dict[str, str | list[str]]]] = [
        ("E311 name", {"name": "Spring"}),
        ("E314 message-subject", {"message-subject": "Spring"}),
        ("E225 There", {"slide": ["<duration>0</duration><image/>", "<audio/>"]}),
        ("E351 slide", {"slide": ["<message-text>a</message-text><duration>0</duration>", "<audio/>"]}),
        ("E230 slide", {"slide": ["<message-text>a</message-text>", "<audio/>"]}),
        ("E352 slide", {"slide": ["<message-text>a</message-text>"]}),
    ]
    reported = []
    for _, fix in fixes:
        reported.append(first_fault(call_api(request(elements))))
        elements |= fix
    assert reported == [expected for expected, _ in fixes]
    assert b"Success" in call_api(request(elements))
