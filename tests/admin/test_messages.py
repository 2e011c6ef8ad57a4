"""Finding a message, reading its story, and settling one that is in doubt."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from mms.models import Discovery, Message, Postback, Report
from tests.admin import story

LIST = reverse("admin:mms_message_changelist")


def found(console: Client, address: str, **asked: str) -> set[Any]:
    answer = console.get(address, asked)
    assert answer.status_code == 200
    return {row.pk for row in answer.context["cl"].result_list}


@pytest.mark.parametrize("typed", ["14044790000", "+1 (404) 479-0000", "1404479", "TRACKING", " TRACKING "])
def test_a_message_is_found_by_number_or_tracking_id(console: Client, world: SimpleNamespace, typed: str) -> None:
    term = typed.replace("TRACKING", world.delivered.tracking_id)
    assert found(console, LIST, q=term) == {world.delivered.pk}


@pytest.mark.parametrize("typed", ["0000", "TU1TXzk5OTk=", "TU1TXy0x", "14044790001", "Nobody", "%", "é", "[", "MMS_1"])
def test_what_names_no_message_finds_none(console: Client, world: SimpleNamespace, typed: str) -> None:
    assert found(console, LIST, q=typed) == set()


def test_messages_are_found_by_account(console: Client, world: SimpleNamespace) -> None:
    assert found(console, LIST, q="custom") == {world.delivered.pk, world.in_doubt.pk}


@pytest.mark.parametrize(("status", "name"), [("in_doubt", "in_doubt"), ("delivered", "delivered")])
def test_messages_are_filtered_by_status(console: Client, world: SimpleNamespace, status: str, name: str) -> None:
    assert found(console, LIST, status=status) == {getattr(world, name).pk}
    assert found(console, LIST, status="sending") == set()


def test_postbacks_are_filtered_by_status(console: Client, world: SimpleNamespace) -> None:
    postbacks = reverse("admin:mms_postback_changelist")
    assert found(console, postbacks, status="given-up") == {world.postback.pk}
    assert len(found(console, postbacks, status="pending")) == 3
    assert found(console, postbacks, status="taken") == set()


def test_messages_are_filtered_by_account_and_carrier(console: Client, world: SimpleNamespace) -> None:
    both = {world.delivered.pk, world.in_doubt.pk}
    assert found(console, LIST, account__id__exact=world.account.pk, carrier__id__exact=world.carrier.pk) == both


def test_unmatched_reports_are_found(console: Client, world: SimpleNamespace) -> None:
    stray = Report.objects.get(attempt=None)
    assert found(console, reverse("admin:mms_report_changelist"), match="no") == {stray.pk}
    assert stray.pk not in found(console, reverse("admin:mms_report_changelist"), match="yes")


@pytest.mark.parametrize(
    ("model", "term", "expected"),
    [
        ("attempt", "M1", 1),
        ("attempt", "TRACKING", 1),
        ("report", "nobody-knows", 1),
        ("report", "TRACKING", 1),
        ("postback", "TRACKING", 4),
        ("postback", "Customer", 4),
        ("discovery", "1404479", 1),
        ("discovery", "447", 0),
        ("template", "spring", 1),
    ],
)
def test_the_other_lists_are_searched(
    console: Client, world: SimpleNamespace, model: str, term: str, expected: int
) -> None:
    term = term.replace("TRACKING", world.delivered.tracking_id)
    assert len(found(console, reverse(f"admin:mms_{model}_changelist"), q=term)) == expected


def test_the_page_of_a_message_tells_its_story_in_order(console: Client, world: SimpleNamespace) -> None:
    answer = console.get(reverse("admin:mms_message_change", args=[world.delivered.pk]))
    timeline, attempts, postbacks, _ = answer.context["tables"]
    steps = ["accepted", "discovering", "ddm-sent", "ddm-delivered", "submitted", "delivered"]
    assert [steps[n] in row.cols[1] for n, row in enumerate(timeline.rows)] == [True] * 6
    assert [len(row.rows) for row in attempts.rows] == [1]
    assert [row.cols[1] for row in postbacks.rows] == ["N501", "N502", "N101", "N102"]
    page = answer.content.decode()
    assert page.index("HTTP 503") < page.index("N502") < page.index("N101") < page.index("N102")
    assert "93 ms" in page
    assert "&lt;busy&gt;" in page
    assert "Hello &lt;b&gt;Bill&lt;/b&gt;" in page
    assert reverse("admin:mms_discovery_change", args=[world.delivered.discovery_id]) in page


def test_the_page_of_a_discovery_names_the_messages_that_share_it(console: Client, world: SimpleNamespace) -> None:
    discovery = Discovery.objects.get()
    page = console.get(reverse("admin:mms_discovery_change", args=[discovery.pk])).content.decode()
    assert world.delivered.tracking_id in page
    assert world.in_doubt.tracking_id not in page


def chosen(action: str, *rows: Any) -> dict[str, Any]:
    return {"action": action, "_selected_action": [row.pk for row in rows], "index": 0}


def test_a_message_in_doubt_that_was_sent_awaits_its_report(console: Client, world: SimpleNamespace) -> None:
    answer = console.post(LIST, chosen("resolve_sent", world.in_doubt, world.delivered), follow=True)
    message = Message.objects.get(pk=world.in_doubt.pk)
    assert (message.status, message.due_at) == ("submitted", message.expires_at)
    assert message.submitted_at is not None
    assert message.events.values_list("kind", "text").last() == ("resolved", "olga: it was sent")
    assert list(message.postbacks.values_list("code", flat=True)) == ["N101"]
    world.delivered.refresh_from_db()
    assert world.delivered.status == "delivered"
    assert [str(text) for text in answer.context["messages"]] == [
        "Messages that wait for their delivery report: 1.",
        "Not in doubt, and left as they are: 1.",
    ]


def test_a_message_in_doubt_that_was_not_sent_is_due_now(console: Client, world: SimpleNamespace) -> None:
    console.post(LIST, chosen("resolve_unsent", world.in_doubt))
    message = Message.objects.get(pk=world.in_doubt.pk)
    assert message.status == "accepted"
    assert message.due_at is not None
    assert message.due_at > story.NOW
    assert message.events.values_list("kind", flat=True).last() == "resolved"
    assert not message.postbacks.exists()


def test_the_buttons_of_a_message_in_doubt_ask_before_they_act(console: Client, world: SimpleNamespace) -> None:
    page = reverse("admin:mms_message_change", args=[world.in_doubt.pk])
    button = reverse("admin:mms_message_confirm_unsent", args=[world.in_doubt.pk])
    assert button in console.get(page).content.decode()
    assert b"the recipient gets it twice" in console.get(button).content
    world.in_doubt.refresh_from_db()
    assert world.in_doubt.status == "in_doubt"
    assert console.post(button, {"_form_submitted": "on"})["HX-Redirect"] == page
    world.in_doubt.refresh_from_db()
    assert world.in_doubt.status == "accepted"
    assert button not in console.get(page).content.decode()
    assert console.post(button, {"_form_submitted": "on"}).status_code == 403


def test_the_other_button_says_that_it_was_sent(console: Client, world: SimpleNamespace) -> None:
    button = reverse("admin:mms_message_confirm_sent", args=[world.in_doubt.pk])
    console.post(button, {"_form_submitted": "on"})
    world.in_doubt.refresh_from_db()
    assert world.in_doubt.status == "submitted"


def test_postbacks_that_are_over_are_sent_again(console: Client, world: SimpleNamespace) -> None:
    waiting = world.delivered.postbacks.get(code="N502")
    before = waiting.due_at
    console.post(reverse("admin:mms_postback_changelist"), chosen("send_again", world.postback, waiting))
    again = Postback.objects.get(pk=world.postback.pk)
    assert (again.status, again.tries_since_replay, again.due_at is not None) == ("pending", 0, True)
    waiting.refresh_from_db()
    assert waiting.due_at == before


def test_the_button_of_a_postback_sends_it_again(console: Client, world: SimpleNamespace) -> None:
    button = reverse("admin:mms_postback_send_this_again", args=[world.postback.pk])
    console.post(button, {"_form_submitted": "on"})
    world.postback.refresh_from_db()
    assert world.postback.status == "pending"
    assert console.get(button).status_code == 403
