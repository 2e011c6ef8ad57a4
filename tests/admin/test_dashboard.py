"""The dashboard."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mms.models import Message, Postback
from tests.admin import sample_data

INDEX = reverse("admin:index")


def figures(superuser: Client) -> dict[str, str]:
    return {card.title: card.figure for card in superuser.get(INDEX).context["cards"]}


def test_dashboard_shows_counts_of_today_and_of_the_backlog(superuser: Client, sample: SimpleNamespace) -> None:
    now = datetime.now(UTC)
    Message.objects.update(created_at=now)
    assert figures(superuser) | {"Oldest due row": ""} == {
        "Messages today": "2",
        "Oldest due row": "",
        "Postbacks waiting": "3",
        "Discoveries answered": "100%",
        "In doubt": "1",
        "Unmatched reports": "1",
    }


def test_messages_of_yesterday_are_not_counted_today(superuser: Client, sample: SimpleNamespace) -> None:
    Message.objects.update(created_at=datetime.now(UTC) - timedelta(days=1))
    assert figures(superuser)["Messages today"] == "0"
    by_status, latest = superuser.get(INDEX).context["tables"]
    assert (len(by_status.rows), len(latest.rows)) == (0, 2)


def test_oldest_due_row_raises_an_alarm_after_a_minute(superuser: Client, sample: SimpleNamespace) -> None:
    Postback.objects.filter(due_at__isnull=False).update(due_at=datetime.now(UTC) - timedelta(hours=2))
    oldest = next(card for card in superuser.get(INDEX).context["cards"] if card.title == "Oldest due row")
    assert (oldest.figure, oldest.is_alarming) == ("2\xa0hours", True)


def test_no_due_row_raises_no_alarm(superuser: Client, db: None) -> None:
    cards = {card.title: card for card in superuser.get(INDEX).context["cards"]}
    assert (cards["Oldest due row"].figure, cards["Oldest due row"].is_alarming) == ("none", False)
    assert cards["Discoveries answered"].figure == "-"


def test_every_card_links_to_a_list_that_opens(superuser: Client, sample: SimpleNamespace) -> None:
    for card in superuser.get(INDEX).context["cards"]:
        assert not card.href or superuser.get(card.href).status_code == 200


def test_query_count_does_not_grow_with_messages(superuser: Client, sample: SimpleNamespace) -> None:
    with CaptureQueriesContext(connection) as few:
        superuser.get(INDEX)
    for number in range(30):
        sample_data.accept_message(sample, f"1404555{number:04d}")
    with CaptureQueriesContext(connection) as many:
        superuser.get(INDEX)
    assert len(many) == len(few)


def dashboard_of(role: str = "") -> Any:
    """Return the dashboard of a new operator with the role."""
    user = User.objects.create_user("eva", is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(user)
    return client.get(INDEX)


def test_operator_without_a_group_sees_a_hint_and_no_figures(sample: SimpleNamespace) -> None:
    page = dashboard_of()
    assert (page.context["cards"], "tables" in page.context) == ([], False)
    assert "You are not in a group yet" in page.content.decode()


@pytest.mark.parametrize(
    ("role", "figures"),
    [
        ("Finance", {"Accounts with a low balance": "1", "Balances that differ from the ledger": "-"}),
        ("Handset editor", {"Handsets without a profile": "0"}),
    ],
)
def test_role_without_messages_sees_its_own_figures(
    sample: SimpleNamespace, role: str, figures: dict[str, str]
) -> None:
    page = dashboard_of(role)
    assert {card.title: card.figure for card in page.context["cards"]} == figures
    assert "tables" not in page.context
