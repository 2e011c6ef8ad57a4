"""All admin pages open with sample data, and the pages of the platform's own rows are read-only."""

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
from tests.admin import sample_data

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
PLATFORM_MODELS = [
    Attempt, Discovery, LedgerEntry, LowBalanceNotice, Medium, Message, Postback, Rendition, Report, Template
]  # fmt: skip
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)


def page(model: type[Model], name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


@every_model
def test_list_and_page_of_every_row_open(superuser: Client, sample: SimpleNamespace, model: type[Model]) -> None:
    response = superuser.get(page(model, "changelist"))
    assert response.status_code == 200
    rows = list(response.context["cl"].result_list)
    assert rows
    for row in rows:
        assert superuser.get(page(model, "change", row.pk)).status_code == 200


@every_model
def test_page_of_a_missing_row_redirects(superuser: Client, model: type[Model]) -> None:
    assert superuser.get(page(model, "change", 999_999)).status_code == 302


@every_model
def test_only_rows_of_operators_can_be_added(superuser: Client, model: type[Model]) -> None:
    reading = model in PLATFORM_MODELS or model.__name__ in {"CachedHandset", "Slide"}
    assert superuser.get(page(model, "add")).status_code == (403 if reading else 200)


@pytest.mark.parametrize("model", PLATFORM_MODELS, ids=lambda model: model.__name__)
def test_platform_rows_cannot_be_changed_or_deleted(
    superuser: Client, sample: SimpleNamespace, model: type[Model]
) -> None:
    row = model._default_manager.earliest("pk")
    before = model._default_manager.values().get(pk=row.pk)
    assert superuser.post(page(model, "change", row.pk), {"number": "1"}).status_code == 403
    assert superuser.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    superuser.post(
        page(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    )
    assert model._default_manager.values().get(pk=row.pk) == before


def test_sidebar_links_to_every_list(superuser: Client, sample: SimpleNamespace) -> None:
    groups = superuser.get(reverse("admin:index")).context["sidebar_navigation"]
    links = {str(item["link"]) for group in groups for item in group["items"]}
    assert links == {reverse("admin:index"), *(page(model, "changelist") for model in MODELS)}


def test_anonymous_request_is_redirected_to_login(client: Client, sample: SimpleNamespace) -> None:
    for address in (reverse("admin:index"), page(Message, "changelist"), page(Medium, "file", sample.medium.pk)):
        response = client.get(address)
        assert (response.status_code, response["Location"].split("?")[0]) == (302, reverse("admin:login"))


def test_view_permission_does_not_allow_actions(client: Client, sample: SimpleNamespace) -> None:
    reader = User.objects.create_user("rita", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_message"))
    client.force_login(reader)
    response = client.get(page(Message, "change", sample.in_doubt.pk))
    assert (response.status_code, b"confirm_unsent" in response.content) == (200, False)
    client.post(
        page(Message, "changelist"), {"action": "resolve_unsent", "_selected_action": [sample.in_doubt.pk], "index": 0}
    )
    sample.in_doubt.refresh_from_db()
    assert sample.in_doubt.status == "in_doubt"
    assert client.get(page(Medium, "file", sample.medium.pk)).status_code == 403
    assert client.get(page(Slide, "picture", sample.template.slides.get(position=1).pk)).status_code == 403
    assert client.get(page(Postback, "changelist")).status_code == 403


@pytest.fixture
def statements(superuser: Client, sample: SimpleNamespace) -> Callable[[], list[str]]:
    """A function that opens the message list and returns its SQL statements."""

    def statements() -> list[str]:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert superuser.get(page(Message, "changelist")).status_code == 200
        return [query["sql"] for query in queries]

    return statements


def test_message_list_query_count_does_not_grow(sample: SimpleNamespace, statements: Callable[[], list[str]]) -> None:
    few = statements()
    for number in range(30):
        sample_data.accept_message(sample, f"1404555{number:04d}")
    assert len(statements()) == len(few)


def test_message_list_never_counts_messages(statements: Callable[[], list[str]]) -> None:
    over_messages = [sql for sql in statements() if 'FROM "mms_message"' in sql]
    assert over_messages
    assert not any("COUNT(" in sql for sql in over_messages)
    assert all("LIMIT" in sql for sql in over_messages)


@pytest.mark.parametrize("status", ["no-such", "\0"])
def test_unknown_status_filters_nothing(superuser: Client, sample: SimpleNamespace, status: str) -> None:
    response = superuser.get(reverse("admin:mms_message_changelist"), {"status": status})
    assert len(response.context["cl"].result_list) == Message.objects.count()


def test_audio_shows_its_encoding_and_no_thumbnail(superuser: Client, sample: SimpleNamespace) -> None:
    audio = Medium.objects.create(sha256="a" * 64, kind="audio", mime_type="audio/mpeg", size=9, file="media/a")
    Encoding.objects.create(medium=audio, status="failed", tries=1, problem="its codec crashed (signal 11)")
    assert "its codec crashed (signal 11)" in superuser.get(page(Medium, "change", audio.pk)).content.decode()
    assert "Orientation" not in superuser.get(page(Medium, "change", audio.pk)).content.decode()
    listed = superuser.get(page(Medium, "changelist")).content.decode()
    assert reverse("admin:mms_medium_file", args=[audio.pk]) in listed
    assert reverse("admin:mms_medium_thumbnail", args=[audio.pk]) not in listed
