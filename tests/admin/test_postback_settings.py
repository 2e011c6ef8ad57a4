"""What operators do for a customer whose server takes no postbacks, or who wants a new signing secret."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from mms.models import Postback
from tests.admin import story

GIVEN_UP = reverse("admin:mms_postback_send_given_up")
LIST = reverse("admin:mms_postback_changelist")


def asked(world: SimpleNamespace, **more: str) -> dict[str, str]:
    """The dialog as a browser posts it, for the second in which the world's postback was given up."""
    since = f"{story.NOW:%Y-%m-%dT%H:%M:%S}"
    return {"_form_submitted": "on", "account": str(world.account.pk), "since": since, "until": "", **more}


def test_what_was_given_up_is_sent_again_from_the_list(console: Client, world: SimpleNamespace) -> None:
    assert GIVEN_UP in console.get(LIST).content.decode()
    dialog = console.get(GIVEN_UP).content.decode()
    assert 'type="datetime-local"' in dialog
    assert console.post(GIVEN_UP, asked(world))["HX-Redirect"] == LIST
    world.postback.refresh_from_db()
    assert (world.postback.status, world.postback.ended_at) == ("pending", None)
    assert "Postbacks to be sent again: 1." in console.get(LIST).content.decode()


def test_what_was_given_up_outside_the_stretch_is_left_alone(console: Client, world: SimpleNamespace) -> None:
    since = story.NOW + timedelta(seconds=1)
    console.post(GIVEN_UP, asked(world, since=f"{since:%Y-%m-%dT%H:%M:%S}"))
    console.post(GIVEN_UP, asked(world, since="2026-01-01T00:00:00", until=f"{story.NOW:%Y-%m-%dT%H:%M:%S}"))
    assert Postback.objects.get(pk=world.postback.pk).status == "given-up"


def test_a_stretch_without_a_beginning_is_asked_for_again(console: Client, world: SimpleNamespace) -> None:
    assert b"This field is required" in console.post(GIVEN_UP, asked(world, since="")).content
    assert Postback.objects.get(pk=world.postback.pk).status == "given-up"


def test_who_may_only_read_sends_nothing_again(client: Client, world: SimpleNamespace) -> None:
    reader = User.objects.create_user("rita", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_postback"))
    client.force_login(reader)
    assert GIVEN_UP not in client.get(LIST).content.decode()
    assert client.post(GIVEN_UP, asked(world)).status_code == 403


def secret_buttons(console: Client, world: SimpleNamespace) -> list[str]:
    page = console.get(reverse("admin:billing_account_change", args=[world.account.pk])).content.decode()
    return [name for name in ("rotate_secret", "drop_secret") if button(world, name) in page]


def button(world: SimpleNamespace, name: str) -> str:
    return reverse(f"admin:billing_account_{name}", args=[world.account.pk])


def test_a_signing_secret_is_rotated_and_the_old_one_dropped(console: Client, world: SimpleNamespace) -> None:
    old = world.account.signing_secret
    assert secret_buttons(console, world) == ["rotate_secret"]
    console.post(button(world, "rotate_secret"), {"_form_submitted": "on"})
    world.account.refresh_from_db()
    assert world.account.previous_secret == old
    assert world.account.signing_secret != old
    assert secret_buttons(console, world) == ["drop_secret"]
    assert console.post(button(world, "rotate_secret"), {"_form_submitted": "on"}).status_code == 403
    console.post(button(world, "drop_secret"), {"_form_submitted": "on"})
    world.account.refresh_from_db()
    assert world.account.previous_secret == ""
    assert secret_buttons(console, world) == ["rotate_secret"]


@pytest.mark.parametrize("name", ["signing_secret", "previous_secret"])
def test_secrets_are_not_edited(console: Client, world: SimpleNamespace, name: str) -> None:
    page = console.get(reverse("admin:billing_account_change", args=[world.account.pk]))
    assert page.context["adminform"].form.fields[name].disabled


def test_a_new_account_has_a_secret(console: Client, world: SimpleNamespace) -> None:
    form = console.get(reverse("admin:billing_account_add")).context["adminform"].form
    assert len(form["signing_secret"].value()) >= 32
