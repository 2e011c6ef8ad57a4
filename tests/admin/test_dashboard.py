"""The first page: how the platform is doing."""

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
from tests.admin import story

INDEX = reverse("admin:index")


def figures(console: Client) -> dict[str, str]:
    return {card.title: card.figure for card in console.get(INDEX).context["cards"]}


def test_the_dashboard_counts_what_an_operator_must_know(console: Client, world: SimpleNamespace) -> None:
    now = datetime.now(UTC)
    Message.objects.update(created_at=now)
    assert figures(console) | {"Oldest due row": ""} == {
        "Messages today": "2",
        "Oldest due row": "",
        "Postbacks waiting": "3",
        "Discoveries answered": "100%",
        "In doubt": "1",
        "Unmatched reports": "1",
    }


def test_messages_of_yesterday_are_not_counted_today(console: Client, world: SimpleNamespace) -> None:
    Message.objects.update(created_at=datetime.now(UTC) - timedelta(days=1))
    assert figures(console)["Messages today"] == "0"
    by_status, latest = console.get(INDEX).context["tables"]
    assert (len(by_status.rows), len(latest.rows)) == (0, 2)


def test_the_row_that_waits_longest_is_named(console: Client, world: SimpleNamespace) -> None:
    Postback.objects.filter(due_at__isnull=False).update(due_at=datetime.now(UTC) - timedelta(hours=2))
    oldest = next(card for card in console.get(INDEX).context["cards"] if card.title == "Oldest due row")
    assert (oldest.figure, oldest.alarming) == ("2\xa0hours", True)


def test_nothing_due_is_no_alarm(console: Client, db: None) -> None:
    cards = {card.title: card for card in console.get(INDEX).context["cards"]}
    assert (cards["Oldest due row"].figure, cards["Oldest due row"].alarming) == ("none", False)
    assert cards["Discoveries answered"].figure == "-"


def test_every_figure_leads_to_a_list_that_opens(console: Client, world: SimpleNamespace) -> None:
    for card in console.get(INDEX).context["cards"]:
        assert not card.href or console.get(card.href).status_code == 200


def test_the_dashboard_asks_as_often_however_many_messages_there_are(console: Client, world: SimpleNamespace) -> None:
    with CaptureQueriesContext(connection) as few:
        console.get(INDEX)
    for number in range(30):
        story.order(world, f"1404555{number:04d}")
    with CaptureQueriesContext(connection) as many:
        console.get(INDEX)
    assert len(many) == len(few)


def first_page(role: str = "") -> Any:
    """The first page of a new operator of this role."""
    user = User.objects.create_user("eva", is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(user)
    return client.get(INDEX)


def test_who_is_in_no_group_is_told_so_and_sees_no_figures(world: SimpleNamespace) -> None:
    page = first_page()
    assert (page.context["cards"], "tables" in page.context) == ([], False)
    assert "You are in no group yet" in page.content.decode()


@pytest.mark.parametrize(
    ("role", "figures"),
    [
        ("Finance", {"Accounts low on funds": "1", "Accounts whose books differ": "-"}),
        ("Handset editor", {"Handsets without a profile": "0"}),
    ],
)
def test_who_sees_no_messages_sees_the_figures_of_the_own_work(
    world: SimpleNamespace, role: str, figures: dict[str, str]
) -> None:
    page = first_page(role)
    assert {card.title: card.figure for card in page.context["cards"]} == figures
    assert "tables" not in page.context
