"""The exact failures of a valid sendSavedMMS that the state of account, content or carrier forbids."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from billing import keys
from billing.models import BlockedNumber
from mms.models import Message, Template
from tests.api.documents import NUMBER, SEND, exhaust_rate_limits, failure, request

CallApi = Callable[[bytes], bytes]


def refused(code: str, info: str, to: str = NUMBER) -> bytes:
    return failure(code, info, to)


def account(**changes: Any) -> Callable[[SimpleNamespace], None]:
    def change(records: SimpleNamespace) -> None:
        type(records.account).objects.filter(pk=records.account.pk).update(**changes)

    return change


def carrier(**changes: Any) -> Callable[[SimpleNamespace], None]:
    def change(records: SimpleNamespace) -> None:
        type(records.carrier).objects.filter(pk=records.carrier.pk).update(**changes)

    return change


def no_carrier(records: SimpleNamespace) -> None:
    records.carrier.prefixes.all().delete()


def another_account_has_the_template(records: SimpleNamespace) -> None:
    Template.objects.update(account=type(records.account).objects.create(name="Another"))


def another_account_has_the_sender(records: SimpleNamespace) -> None:
    records.account.senders.update(account=type(records.account).objects.create(name="Another"))


def another_account_has_the_service(records: SimpleNamespace) -> None:
    records.account.services.update(account=type(records.account).objects.create(name="Another"))


def template_subject(text: str) -> Callable[[SimpleNamespace], None]:
    def change(records: SimpleNamespace) -> None:
        Template.objects.update(subject=text)

    return change


def blocked_by_the_platform(records: SimpleNamespace) -> None:
    BlockedNumber.objects.create(number=NUMBER)


def blocked_by_the_account(records: SimpleNamespace) -> None:
    records.account.blocked_numbers.create(number=NUMBER)


def key_for(action: str) -> Callable[[SimpleNamespace], None]:
    def change(records: SimpleNamespace) -> None:
        records.account.api_keys.update(allowed_actions=[action])

    return change


def provisioned_on(operator: int) -> Callable[[SimpleNamespace], None]:
    def change(records: SimpleNamespace) -> None:
        records.account.senders.update(operators=[operator])

    return change


def rate_limited(**limit: Any) -> Callable[[SimpleNamespace], None]:
    def change(records: SimpleNamespace) -> None:
        account(**limit)(records)
        exhaust_rate_limits(records.account)

    return change


# Change to the stored state of a valid sendSavedMMS -> answer.
STATE_FAILURES: list[tuple[Callable[[SimpleNamespace], None], bytes]] = [
    (account(status="blocked"), refused("E103", "This account is blocked; contact support")),
    (account(api_access=False), refused("E105", "This account has no API access; contact support")),
    (
        account(allowed_networks=["192.0.2.0/24"]),
        refused(
            "E112", "Requests from 127.0.0.1 are not allowed for this account; contact support to allow this address"
        ),
    ),
    (
        key_for("savemms"),
        refused("E107", "This api-key may not be used for sendSavedMMS; use another key of the account"),
    ),
    (rate_limited(minimum_interval=500), refused("E106", "Requests must be at least 500 ms apart; wait, then retry")),
    (
        rate_limited(throughput={"sendsavedMMS": 1}),
        refused("E113", "The rate limit of this action is 1 per second; wait, then retry"),
    ),
    (
        account(status="billing-suspended"),
        refused("E713", "The account is suspended by billing; settle the outstanding amount"),
    ),
    (
        account(fallback_text_required=True),
        refused("E622", "fallback-sms-text is missing; this account requires it"),
    ),
    (
        another_account_has_the_sender,
        refused("E111", "from is not one of the account's sender addresses: 28444"),
    ),
    (another_account_has_the_template, refused("E241", "There is no mms-id 35674 in this account")),
    (another_account_has_the_service, refused("E627", "service-id is not defined for this account: 12345")),
    (
        template_subject("Dear {{title}}"),
        refused("E100", "the template's subject: data has no value for the merge tag title; add a value or a default"),
    ),
    (
        no_carrier,
        refused("E618", "The carrier of this number could not be found; try again later or specify operator-id"),
    ),
    (blocked_by_the_platform, refused("E114", "The recipient is on the platform's block list")),
    (blocked_by_the_account, refused("E114", "The recipient is on this account's block list")),
    (
        provisioned_on(31003),
        refused(
            "E619", "The sender address 28444 is not provisioned on the carrier AT&amp;T; use another sender address"
        ),
    ),
    (carrier(enabled=False), refused("E628", "The carrier AT&amp;T is currently not supported; contact support")),
    (carrier(mmsc_url=""), refused("E628", "The carrier AT&amp;T is currently not supported; contact support")),
]


@pytest.mark.parametrize(("change", "expected"), STATE_FAILURES)
def test_refused_sendsavedmms_gets_the_exact_failure(
    records: SimpleNamespace, call_api: CallApi, change: Callable[[SimpleNamespace], None], expected: bytes
) -> None:
    change(records)
    assert call_api(request(SEND)) == expected
    assert not Message.objects.exists()


def another_account_blocks_the_number(records: SimpleNamespace) -> None:
    type(records.account).objects.create(name="Another").blocked_numbers.create(number=NUMBER)


def another_key_is_limited(records: SimpleNamespace) -> None:
    keys.issue(records.account, actions=["savemms"])


@pytest.mark.parametrize(
    "change",
    [
        another_account_blocks_the_number,
        another_key_is_limited,
        key_for("sendsavedmms"),
        provisioned_on(31002),
        account(allowed_networks=["127.0.0.1"]),
        rate_limited(throughput={"saveMMS": 1}),
    ],
)
def test_settings_of_others_do_not_affect_the_request(
    records: SimpleNamespace, call_api: CallApi, change: Callable[[SimpleNamespace], None]
) -> None:
    change(records)
    assert b"<status>Success</status>" in call_api(request(SEND))
