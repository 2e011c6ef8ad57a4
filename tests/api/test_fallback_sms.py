"""The fallback SMS: stored with content by saveMMS and sendMMS, and overridden by each message."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from mms.models import Message, Template
from tests.api.documents import NUMBER, SAVE, SEND, Elements, failure, request

CallApi = Callable[[bytes], bytes]

MONTH = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)
DEFAULTS: Elements = {
    "fallback-sms-text": "See {{what|this}}",
    "disable-fallback-sms": "true",
    "disable-fallback-sms-link": "true",
    "fallback-sms-link-expiration": MONTH.isoformat(),
}
STORED = ("See {{what|this}}", True, True, MONTH)


def fallback(row: Message | Template) -> tuple[object, ...]:
    switches = (row.disable_fallback_sms, row.disable_fallback_sms_link)
    return (row.fallback_text, *switches, row.fallback_sms_link_expiration)


@pytest.fixture
def mms_id(call_api: CallApi) -> str:
    """Save content with every fallback parameter, and return its mms-id."""
    found = re.search(rb"<mms-id>(\d+)</mms-id>", call_api(request({**SAVE, **DEFAULTS})))
    assert found
    return found[1].decode()


def test_message_inherits_the_fallback_of_its_content(call_api: CallApi, mms_id: str) -> None:
    assert fallback(Template.objects.get(pk=mms_id)) == STORED
    assert b"Success" in call_api(request({**SEND, "mms-id": mms_id}))
    assert fallback(Message.objects.get()) == STORED


def test_fallback_of_a_message_does_not_change_its_content(call_api: CallApi, mms_id: str) -> None:
    changes = {
        "fallback-sms-text": "Hello",
        "disable-fallback-sms": "false",
        "disable-fallback-sms-link": "false",
        "fallback-sms-link-expiration": (MONTH - timedelta(days=1)).isoformat(),
    }
    assert b"Success" in call_api(request({**SEND, **changes, "mms-id": mms_id}))
    assert fallback(Message.objects.get()) == ("Hello", False, False, MONTH - timedelta(days=1))
    assert fallback(Template.objects.get(pk=mms_id)) == STORED


def test_sendmms_stores_the_fallback_with_the_content(call_api: CallApi) -> None:
    new = {**SAVE, **SEND, **DEFAULTS, "action": "sendMMS", "mms-id": None}
    assert b"Success" in call_api(request(new))
    template = Template.objects.latest("pk")
    assert fallback(Message.objects.get()) == fallback(template) == STORED


def test_stored_text_satisfies_a_required_fallback_text(call_api: CallApi, records: SimpleNamespace) -> None:
    Template.objects.update(fallback_text="Hello {{firstname}}")
    type(records.account).objects.update(fallback_text_required=True)
    refused = failure(
        "E100", "fallback-sms-text: data has no value for the merge tag firstname; add a value or a default", NUMBER
    )
    assert call_api(request(SEND)) == refused
    assert b"Success" in call_api(request({**SEND, "data": "<firstname>Bill</firstname>"}))
    assert b"Success" in call_api(request({**SEND, "fallback-sms-text": "Hello"}))


@pytest.mark.parametrize("text", ["Hello {{firstname}}", "Hello {{firstname"])
def test_text_of_a_disabled_fallback_is_not_checked(call_api: CallApi, text: str) -> None:
    Template.objects.update(fallback_text=text)
    assert b"E100" in call_api(request(SEND))
    assert b"Success" in call_api(request({**SEND, "disable-fallback-sms": "true"}))
    Template.objects.update(disable_fallback_sms=True)
    assert b"Success" in call_api(request(SEND))


def test_expired_link_is_refused_unless_disabled(call_api: CallApi) -> None:
    Template.objects.update(fallback_sms_link_expiration=datetime.now(UTC))
    info = "The fallback-sms-link-expiration saved with mms-id 35674 has passed; specify a new one"
    assert call_api(request(SEND)) == failure("E100", info, NUMBER)
    assert b"Success" in call_api(request({**SEND, "fallback-sms-link-expiration": MONTH.isoformat()}))
    assert b"Success" in call_api(request({**SEND, "disable-fallback-sms": "true"}))
    assert b"Success" in call_api(request({**SEND, "disable-fallback-sms-link": "true"}))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"fallback-sms-text": "x" * 5001},
            failure("E228", "fallback-sms-text has 5001 characters; at most 5000 are allowed"),
        ),
        ({"disable-fallback-sms": "yes"}, failure("E100", "disable-fallback-sms must be true or false")),
        (
            {"fallback-sms-link-expiration": "2001-01-01"},
            failure("E100", "fallback-sms-link-expiration must be in the future; 2001-01-01T00:00:00Z is in the past"),
        ),
    ],
)
def test_invalid_fallback_of_content_is_refused(call_api: CallApi, change: Elements, expected: bytes) -> None:
    assert call_api(request({**SAVE, **change})) == expected
    assert Template.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "stored"),
    [({}, True), ({"disable-fallback-sms": "false"}, False), ({"disable-fallback-sms": "true"}, True)],
)
def test_new_content_inherits_the_account_setting(
    call_api: CallApi, records: SimpleNamespace, changes: Elements, stored: bool
) -> None:
    type(records.account).objects.update(fallback_disabled=True)
    saved, sent = (
        call_api(request({**SAVE, **changes})),
        call_api(request({**SAVE, **SEND, **changes, "action": "sendMMS"})),
    )
    assert b"<status>Success" in saved
    assert b"<status>Success" in sent
    templates = Template.objects.order_by("-pk")[:2]
    assert [template.disable_fallback_sms for template in templates] == [stored, stored]
    assert Message.objects.get().disable_fallback_sms is stored
