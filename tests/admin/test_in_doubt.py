"""Messages in doubt after an outage are resolved together, by carrier and time."""

import re
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mms.messages import in_doubt
from mms.models import Attempt, Carrier, Message
from tests.admin import sample_data

PAGE = reverse("admin:mms_message_resolve_many")


def outage(sample: SimpleNamespace, decision: str) -> dict[str, str | int]:
    started = sample.in_doubt.attempts.get().started_at
    since, until = started - timedelta(minutes=5), started + timedelta(minutes=5)
    fields = {
        "carrier": sample.carrier.pk,
        "since": f"{since:%Y-%m-%dT%H:%M:%S}",
        "until": f"{until:%Y-%m-%dT%H:%M:%S}",
    }
    return {**fields, "decision": decision}


@pytest.fixture
def doubtful(sample: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Create five messages in doubt, and resolve them in batches of two."""
    monkeypatch.setattr(in_doubt, "BATCH", 2)
    created = [sample_data.create_in_doubt(sample, f"4477009002{number:02}").pk for number in range(4)]
    return [sample.in_doubt.pk, *created]


@pytest.mark.parametrize(
    ("decision", "status", "shown"),
    [("sent", "submitted", "Messages marked as sent: 5."), ("unsent", "accepted", "Messages to be sent again: 5.")],
)
def test_messages_in_doubt_are_resolved_together(
    superuser: Client, sample: SimpleNamespace, doubtful: list[int], decision: str, status: str, shown: str
) -> None:
    form = outage(sample, decision)
    page = superuser.get(PAGE, form).content.decode()
    assert ": 5 messages?" in page
    assert set(Message.objects.filter(pk__in=doubtful).values_list("status", flat=True)) == {"in_doubt"}
    answer = superuser.post(PAGE, form, follow=True)
    assert shown in answer.content.decode()
    resolved = Message.objects.filter(pk__in=doubtful)
    assert set(resolved.values_list("status", flat=True)) == {status}
    assert {message.events.filter(kind="resolved").count() for message in resolved} == {1}
    assert {message.postbacks.filter(code="N101").count() for message in resolved} == {int(decision == "sent")}


def test_one_confirmation_resolves_a_limited_number(
    superuser: Client, sample: SimpleNamespace, doubtful: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_doubt, "MOST", 3)
    page = superuser.post(PAGE, outage(sample, "sent")).content.decode()
    assert "Messages marked as sent: 4." in page
    assert ": 1 messages?" in page
    assert Message.objects.filter(pk__in=doubtful, status="in_doubt").count() == 1


def test_confirmation_covers_no_submit_after_its_page(
    superuser: Client, sample: SimpleNamespace, doubtful: list[int]
) -> None:
    form = outage(sample, "unsent") | {"until": "2999-01-01T00:00:00"}
    page = superuser.get(PAGE, form).content.decode()
    assert ": 5 messages?" in page
    confirmed = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert set(confirmed) >= {"carrier", "since", "until", "decision"}
    again = Message.objects.get(pk=doubtful[0]).attempts.get()
    Attempt.objects.filter(pk=again.pk).update(started_at=timezone.now())  # sent again without an answer
    superuser.post(PAGE, confirmed)
    assert list(Message.objects.filter(pk__in=doubtful, status="in_doubt")) == [again.message]
    assert Message.objects.filter(pk__in=doubtful, status="accepted").count() == 4


def test_confirmation_sends_each_message_again_once(
    superuser: Client, sample: SimpleNamespace, doubtful: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker sends each batch at once, and the MMSC does not answer: its messages are in doubt again."""
    monkeypatch.setattr(in_doubt, "MOST", 20)

    def send_in_vain(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if "mms_attempt" in sql and "LIMIT" in sql:
            Message.objects.filter(status="accepted").update(status="in_doubt")
        return execute(sql, *rest)

    with connection.execute_wrapper(send_in_vain):
        page = superuser.post(PAGE, outage(sample, "unsent"), follow=True).content.decode()
    assert "Messages to be sent again: 5." in page
    resolved = Message.objects.filter(pk__in=doubtful)
    assert {message.events.filter(kind="resolved").count() for message in resolved} == {1}


def test_other_carriers_and_times_stay_in_doubt(
    superuser: Client, sample: SimpleNamespace, doubtful: list[int]
) -> None:
    other = Carrier.objects.create(name="Other", slug="other", operator_id=7, vaspid="v", vasid="v")
    started = sample.in_doubt.attempts.get().started_at
    for changes in (
        {"carrier": other.pk},
        {"since": f"{started + timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}"},
        {"until": f"{started - timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}"},
    ):
        superuser.post(PAGE, outage(sample, "sent") | changes)
    assert Message.objects.filter(pk__in=doubtful, status="in_doubt").count() == 5


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"carrier": "x"}, "Select a valid choice."),
        ({"since": "yesterday"}, "Enter a valid date/time."),
        ({"until": "2020-01-01T00:00:00"}, "Enter a time after the first one."),
        ({"decision": "perhaps"}, "Select a valid choice."),
        ({"until": ""}, "This field is required."),
    ],
)
def test_invalid_outage_is_explained(
    superuser: Client, sample: SimpleNamespace, changes: dict[str, str | int], error: str
) -> None:
    for answer in (
        superuser.get(PAGE, outage(sample, "sent") | changes),
        superuser.post(PAGE, outage(sample, "sent") | changes),
    ):
        assert answer.status_code == 200
        assert error in answer.content.decode()
    assert Message.objects.get(pk=sample.in_doubt.pk).status == "in_doubt"


def test_support_cannot_resolve_messages_together(sample: SimpleNamespace) -> None:
    user = User.objects.create_user("sue", is_staff=True)
    user.groups.add(Group.objects.get(name="Support"))
    client = Client()
    client.force_login(user)
    assert PAGE not in client.get(reverse("admin:mms_message_changelist")).content.decode()
    assert client.post(PAGE, outage(sample, "sent")).status_code == 403
    assert Message.objects.get(pk=sample.in_doubt.pk).status == "in_doubt"
