"""Every page of the console opens on a world with a row of every kind, and the right ones are for reading only."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.models import LedgerEntry, LowBalanceNotice
from mms.models import Attempt, Discovery, Encoding, Medium, Message, Postback, Rendition, Report, Slide, Template
from tests.admin import story

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
WRITTEN_BY_THE_FLOW = [
    Attempt, Discovery, LedgerEntry, LowBalanceNotice, Medium, Message, Postback, Rendition, Report, Template
]  # fmt: skip
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)


def page(model: type[Model], name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


@every_model
def test_the_list_and_the_page_of_every_row_open(console: Client, world: SimpleNamespace, model: type[Model]) -> None:
    answer = console.get(page(model, "changelist"))
    assert answer.status_code == 200
    rows = list(answer.context["cl"].result_list)
    assert rows
    for row in rows:
        assert console.get(page(model, "change", row.pk)).status_code == 200


@every_model
def test_the_page_of_a_row_that_is_not_there_leads_back(console: Client, model: type[Model]) -> None:
    assert console.get(page(model, "change", 999_999)).status_code == 302


@every_model
def test_a_row_can_be_added_unless_the_flow_writes_it(console: Client, model: type[Model]) -> None:
    reading = model in WRITTEN_BY_THE_FLOW or model.__name__ in {"CachedHandset", "Slide"}
    assert console.get(page(model, "add")).status_code == (403 if reading else 200)


@pytest.mark.parametrize("model", WRITTEN_BY_THE_FLOW, ids=lambda model: model.__name__)
def test_what_the_flow_wrote_is_neither_changed_nor_deleted(
    console: Client, world: SimpleNamespace, model: type[Model]
) -> None:
    row = model._default_manager.earliest("pk")
    before = model._default_manager.values().get(pk=row.pk)
    assert console.post(page(model, "change", row.pk), {"number": "1"}).status_code == 403
    assert console.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    console.post(page(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert model._default_manager.values().get(pk=row.pk) == before


def test_the_sidebar_leads_to_every_list_that_opens(console: Client, world: SimpleNamespace) -> None:
    groups = console.get(reverse("admin:index")).context["sidebar_navigation"]
    links = {str(item["link"]) for group in groups for item in group["items"]}
    assert links == {reverse("admin:index"), *(page(model, "changelist") for model in MODELS)}


def test_a_guest_sees_nothing(client: Client, world: SimpleNamespace) -> None:
    for address in (reverse("admin:index"), page(Message, "changelist"), page(Medium, "file", world.medium.pk)):
        answer = client.get(address)
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, reverse("admin:login"))


def test_an_operator_who_may_only_read_messages_acts_on_none(client: Client, world: SimpleNamespace) -> None:
    reader = User.objects.create_user("rita", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_message"))
    client.force_login(reader)
    answer = client.get(page(Message, "change", world.in_doubt.pk))
    assert (answer.status_code, b"It was not sent" in answer.content) == (200, False)
    client.post(
        page(Message, "changelist"), {"action": "resolve_unsent", "_selected_action": [world.in_doubt.pk], "index": 0}
    )
    world.in_doubt.refresh_from_db()
    assert world.in_doubt.status == "in_doubt"
    assert client.get(page(Medium, "file", world.medium.pk)).status_code == 403
    assert client.get(page(Slide, "picture", world.template.slides.get(position=1).pk)).status_code == 403
    assert client.get(page(Postback, "changelist")).status_code == 403


@pytest.fixture
def statements(console: Client, world: SimpleNamespace) -> Callable[[], list[str]]:
    """The SQL statements of one call of the message list."""

    def statements() -> list[str]:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert console.get(page(Message, "changelist")).status_code == 200
        return [query["sql"] for query in queries]

    return statements


def test_the_message_list_costs_the_same_however_many_there_are(
    world: SimpleNamespace, statements: Callable[[], list[str]]
) -> None:
    few = statements()
    for number in range(30):
        story.order(world, f"1404555{number:04d}")
    assert len(statements()) == len(few)


def test_the_message_list_never_counts_messages(statements: Callable[[], list[str]]) -> None:
    over_messages = [sql for sql in statements() if 'FROM "mms_message"' in sql]
    assert over_messages
    assert not any("COUNT(" in sql for sql in over_messages)
    assert all("LIMIT" in sql for sql in over_messages)


@pytest.mark.parametrize("status", ["no-such", "\0"])
def test_a_status_that_is_none_filters_nothing(console: Client, world: SimpleNamespace, status: str) -> None:
    answer = console.get(reverse("admin:mms_message_changelist"), {"status": status})
    assert len(answer.context["cl"].result_list) == Message.objects.count()


def test_an_audio_has_no_thumbnail_and_its_encoding_is_told(console: Client, world: SimpleNamespace) -> None:
    audio = Medium.objects.create(sha256="a" * 64, kind="audio", mime_type="audio/mpeg", size=9, file="media/a")
    Encoding.objects.create(medium=audio, status="failed", tries=1, problem="its codec crashed (signal 11)")
    assert "its codec crashed (signal 11)" in console.get(page(Medium, "change", audio.pk)).content.decode()
    assert "Orientation" not in console.get(page(Medium, "change", audio.pk)).content.decode()
    listed = console.get(page(Medium, "changelist")).content.decode()
    assert reverse("admin:mms_medium_file", args=[audio.pk]) in listed
    assert reverse("admin:mms_medium_thumbnail", args=[audio.pk]) not in listed
