"""What is to go where an MMS cannot: stored with the content by saveMMS and sendMMS, overruled by each message."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from mms.models import Message, Template
from tests.api.documents import NUMBER, SAVE, SEND, Elements, failure, request

Post = Callable[[bytes], bytes]

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
def mms_id(answer: Post) -> str:
    """Content that was saved with all defaults."""
    found = re.search(rb"<mms-id>(\d+)</mms-id>", answer(request({**SAVE, **DEFAULTS})))
    assert found
    return found[1].decode()


def test_a_message_that_says_nothing_takes_what_its_content_was_saved_with(answer: Post, mms_id: str) -> None:
    assert fallback(Template.objects.get(pk=mms_id)) == STORED
    assert b"Success" in answer(request({**SEND, "mms-id": mms_id}))
    assert fallback(Message.objects.get()) == STORED


def test_what_a_message_says_counts_for_it_alone(answer: Post, mms_id: str) -> None:
    said = {
        "fallback-sms-text": "Hello",
        "disable-fallback-sms": "false",
        "disable-fallback-sms-link": "false",
        "fallback-sms-link-expiration": (MONTH - timedelta(days=1)).isoformat(),
    }
    assert b"Success" in answer(request({**SEND, **said, "mms-id": mms_id}))
    assert fallback(Message.objects.get()) == ("Hello", False, False, MONTH - timedelta(days=1))
    assert fallback(Template.objects.get(pk=mms_id)) == STORED


def test_content_of_sendmms_keeps_its_fallback_for_later(answer: Post) -> None:
    new = {**SAVE, **SEND, **DEFAULTS, "action": "sendMMS", "mms-id": None}
    assert b"Success" in answer(request(new))
    template = Template.objects.latest("pk")
    assert fallback(Message.objects.get()) == fallback(template) == STORED


def test_a_text_that_was_saved_is_enough_for_an_account_that_must_give_one(
    answer: Post, world: SimpleNamespace
) -> None:
    Template.objects.update(fallback_text="Hello {{firstname}}")
    type(world.account).objects.update(fallback_text_required=True)
    refused = failure(
        "E100", "fallback-sms-text: data has no value for the merge tag firstname; add a value or a default", NUMBER
    )
    assert answer(request(SEND)) == refused
    assert b"Success" in answer(request({**SEND, "data": "<firstname>Bill</firstname>"}))
    assert b"Success" in answer(request({**SEND, "fallback-sms-text": "Hello"}))


@pytest.mark.parametrize("text", ["Hello {{firstname}}", "Hello {{firstname"])
def test_a_text_that_is_never_sent_need_not_be_filled(answer: Post, text: str) -> None:
    Template.objects.update(fallback_text=text)
    assert b"E100" in answer(request(SEND))
    assert b"Success" in answer(request({**SEND, "disable-fallback-sms": "true"}))
    Template.objects.update(disable_fallback_sms=True)
    assert b"Success" in answer(request(SEND))


def test_a_link_that_would_be_dead_is_refused_where_one_would_go(answer: Post) -> None:
    Template.objects.update(fallback_sms_link_expiration=datetime.now(UTC))
    info = "The fallback-sms-link-expiration saved with mms-id 35674 has passed; specify a new one"
    assert answer(request(SEND)) == failure("E100", info, NUMBER)
    assert b"Success" in answer(request({**SEND, "fallback-sms-link-expiration": MONTH.isoformat()}))
    assert b"Success" in answer(request({**SEND, "disable-fallback-sms": "true"}))
    assert b"Success" in answer(request({**SEND, "disable-fallback-sms-link": "true"}))


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
def test_a_faulty_default_is_refused_and_nothing_is_stored(answer: Post, change: Elements, expected: bytes) -> None:
    assert answer(request({**SAVE, **change})) == expected
    assert Template.objects.count() == 1


@pytest.mark.parametrize(
    ("said", "stored"),
    [({}, True), ({"disable-fallback-sms": "false"}, False), ({"disable-fallback-sms": "true"}, True)],
)
def test_new_content_that_does_not_say_it_has_the_accounts_default(
    answer: Post, world: SimpleNamespace, said: Elements, stored: bool
) -> None:
    type(world.account).objects.update(fallback_disabled=True)
    saved, sent = answer(request({**SAVE, **said})), answer(request({**SAVE, **SEND, **said, "action": "sendMMS"}))
    assert b"<status>Success" in saved
    assert b"<status>Success" in sent
    templates = Template.objects.order_by("-pk")[:2]
    assert [template.disable_fallback_sms for template in templates] == [stored, stored]
    assert Message.objects.get().disable_fallback_sms is stored
