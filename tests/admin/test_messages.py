"""The admin of messages: search, filters, history, and resolving messages in doubt."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from mms.models import Discovery, Message, Report
from tests.admin import sample_data
from tests.admin.forms import action_form

LIST = reverse("admin:mms_message_changelist")


def listed_keys(superuser: Client, address: str, **query: str) -> set[Any]:
    response = superuser.get(address, query)
    assert response.status_code == 200
    return {row.pk for row in response.context["cl"].result_list}


@pytest.mark.parametrize("typed", ["14044790000", "+1 (404) 479-0000", "1404479", "TRACKING", " TRACKING "])
def test_message_is_found_by_number_or_tracking_id(superuser: Client, sample: SimpleNamespace, typed: str) -> None:
    term = typed.replace("TRACKING", sample.delivered.tracking_id)
    assert listed_keys(superuser, LIST, q=term) == {sample.delivered.pk}


@pytest.mark.parametrize("typed", ["0000", "TU1TXzk5OTk=", "TU1TXy0x", "14044790001", "Nobody", "%", "é", "[", "MMS_1"])
def test_unknown_search_term_finds_no_message(superuser: Client, sample: SimpleNamespace, typed: str) -> None:
    assert listed_keys(superuser, LIST, q=typed) == set()


def test_messages_are_found_by_account(superuser: Client, sample: SimpleNamespace) -> None:
    assert listed_keys(superuser, LIST, q="custom") == {sample.delivered.pk, sample.in_doubt.pk}


@pytest.mark.parametrize(("status", "name"), [("in_doubt", "in_doubt"), ("delivered", "delivered")])
def test_messages_are_filtered_by_status(superuser: Client, sample: SimpleNamespace, status: str, name: str) -> None:
    assert listed_keys(superuser, LIST, status=status) == {getattr(sample, name).pk}
    assert listed_keys(superuser, LIST, status="sending") == set()


def test_postbacks_are_filtered_by_status(superuser: Client, sample: SimpleNamespace) -> None:
    postbacks = reverse("admin:mms_postback_changelist")
    assert listed_keys(superuser, postbacks, status="given-up") == {sample.postback.pk}
    assert len(listed_keys(superuser, postbacks, status="pending")) == 3
    assert listed_keys(superuser, postbacks, status="taken") == set()


def test_messages_are_filtered_by_account_and_carrier(superuser: Client, sample: SimpleNamespace) -> None:
    both = {sample.delivered.pk, sample.in_doubt.pk}
    assert (
        listed_keys(superuser, LIST, account__id__exact=sample.account.pk, carrier__id__exact=sample.carrier.pk) == both
    )


def test_unmatched_reports_are_found(superuser: Client, sample: SimpleNamespace) -> None:
    unmatched = Report.objects.get(attempt=None)
    assert listed_keys(superuser, reverse("admin:mms_report_changelist"), match="no") == {unmatched.pk}
    assert unmatched.pk not in listed_keys(superuser, reverse("admin:mms_report_changelist"), match="yes")


@pytest.mark.parametrize(
    ("model", "term", "expected"),
    [
        ("attempt", "M1", 1),
        ("attempt", "TRACKING", 1),
        ("report", "unknown-id", 1),
        ("report", "TRACKING", 1),
        ("postback", "TRACKING", 4),
        ("postback", "Customer", 4),
        ("discovery", "1404479", 1),
        ("discovery", "447", 0),
        ("template", "spring", 1),
    ],
)
def test_other_lists_are_searched(
    superuser: Client, sample: SimpleNamespace, model: str, term: str, expected: int
) -> None:
    term = term.replace("TRACKING", sample.delivered.tracking_id)
    assert len(listed_keys(superuser, reverse(f"admin:mms_{model}_changelist"), q=term)) == expected


def test_message_page_shows_its_history_in_order(superuser: Client, sample: SimpleNamespace) -> None:
    response = superuser.get(reverse("admin:mms_message_change", args=[sample.delivered.pk]))
    timeline, attempts, postbacks, _ = response.context["tables"]
    steps = ["accepted", "discovering", "ddm-sent", "ddm-delivered", "submitted", "delivered"]
    assert [steps[n] in row.cols[1] for n, row in enumerate(timeline.rows)] == [True] * 6
    assert [len(row.rows) for row in attempts.rows] == [1]
    assert [row.cols[1] for row in postbacks.rows] == ["N501", "N502", "N101", "N102"]
    page = response.content.decode()
    assert page.index("HTTP 503") < page.index("N502") < page.index("N101") < page.index("N102")
    assert "93 ms" in page
    assert "&lt;busy&gt;" in page
    assert "Hello &lt;b&gt;Bill&lt;/b&gt;" in page
    assert reverse("admin:mms_discovery_change", args=[sample.delivered.discovery_id]) in page


def test_discovery_page_lists_only_its_messages(superuser: Client, sample: SimpleNamespace) -> None:
    discovery = Discovery.objects.get()
    page = superuser.get(reverse("admin:mms_discovery_change", args=[discovery.pk])).content.decode()
    assert sample.delivered.tracking_id in page
    assert sample.in_doubt.tracking_id not in page


def test_message_marked_as_sent_awaits_its_report(superuser: Client, sample: SimpleNamespace) -> None:
    response = superuser.post(LIST, action_form("resolve_sent", sample.in_doubt, sample.delivered), follow=True)
    message = Message.objects.get(pk=sample.in_doubt.pk)
    assert (message.status, message.due_at) == ("submitted", message.expires_at + settings.REPORT_GRACE)
    assert message.submitted_at is not None
    assert message.events.values_list("kind", "text").last() == ("resolved", "olga: it was sent")
    assert list(message.postbacks.values_list("code", flat=True)) == ["N101"]
    sample.delivered.refresh_from_db()
    assert sample.delivered.status == "delivered"
    assert [str(text) for text in response.context["messages"]] == [
        "Messages marked as sent: 1.",
        "Skipped, because not in doubt: 1.",
    ]


def test_unsent_message_in_doubt_becomes_due_now(superuser: Client, sample: SimpleNamespace) -> None:
    superuser.post(LIST, action_form("resolve_unsent", sample.in_doubt))
    message = Message.objects.get(pk=sample.in_doubt.pk)
    assert message.status == "accepted"
    assert message.due_at is not None
    assert message.due_at > sample_data.NOW
    assert message.events.values_list("kind", flat=True).last() == "resolved"
    assert not message.postbacks.exists()


def test_send_again_button_asks_for_confirmation(superuser: Client, sample: SimpleNamespace) -> None:
    page = reverse("admin:mms_message_change", args=[sample.in_doubt.pk])
    button = reverse("admin:mms_message_confirm_unsent", args=[sample.in_doubt.pk])
    assert button in superuser.get(page).content.decode()
    assert b"the recipient gets it twice" in superuser.get(button).content
    sample.in_doubt.refresh_from_db()
    assert sample.in_doubt.status == "in_doubt"
    assert superuser.post(button, {"_form_submitted": "on"})["HX-Redirect"] == page
    sample.in_doubt.refresh_from_db()
    assert sample.in_doubt.status == "accepted"
    assert button not in superuser.get(page).content.decode()
    assert superuser.post(button, {"_form_submitted": "on"}).status_code == 403


def test_mark_as_sent_button_ends_the_doubt(superuser: Client, sample: SimpleNamespace) -> None:
    button = reverse("admin:mms_message_confirm_sent", args=[sample.in_doubt.pk])
    superuser.post(button, {"_form_submitted": "on"})
    sample.in_doubt.refresh_from_db()
    assert sample.in_doubt.status == "submitted"
