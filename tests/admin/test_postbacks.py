"""The admin of postbacks and their replay."""

from datetime import timedelta
from types import SimpleNamespace

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from mms.models import Postback
from tests.admin import sample_data
from tests.admin.forms import action_form

GIVEN_UP = reverse("admin:mms_postback_send_given_up")
LIST = reverse("admin:mms_postback_changelist")


def period_form(sample: SimpleNamespace, **more: str) -> dict[str, str]:
    """Return the form of the replay dialog for the second in which the sample postback was given up."""
    since = f"{sample_data.NOW:%Y-%m-%dT%H:%M:%S}"
    return {"_form_submitted": "on", "account": str(sample.account.pk), "since": since, "until": "", **more}


def test_given_up_postbacks_are_replayed_from_the_list(superuser: Client, sample: SimpleNamespace) -> None:
    assert GIVEN_UP in superuser.get(LIST).content.decode()
    dialog = superuser.get(GIVEN_UP).content.decode()
    assert 'type="datetime-local"' in dialog
    assert superuser.post(GIVEN_UP, period_form(sample))["HX-Redirect"] == LIST
    sample.postback.refresh_from_db()
    assert (sample.postback.status, sample.postback.ended_at) == ("pending", None)
    assert "Postbacks to be sent again: 1." in superuser.get(LIST).content.decode()


def test_replay_skips_postbacks_outside_the_period(superuser: Client, sample: SimpleNamespace) -> None:
    since = sample_data.NOW + timedelta(seconds=1)
    superuser.post(GIVEN_UP, period_form(sample, since=f"{since:%Y-%m-%dT%H:%M:%S}"))
    superuser.post(
        GIVEN_UP, period_form(sample, since="2026-01-01T00:00:00", until=f"{sample_data.NOW:%Y-%m-%dT%H:%M:%S}")
    )
    assert Postback.objects.get(pk=sample.postback.pk).status == "given-up"


def test_replay_without_a_start_is_refused(superuser: Client, sample: SimpleNamespace) -> None:
    assert b"This field is required" in superuser.post(GIVEN_UP, period_form(sample, since="")).content
    assert Postback.objects.get(pk=sample.postback.pk).status == "given-up"


def test_view_permission_does_not_allow_replay(client: Client, sample: SimpleNamespace) -> None:
    reader = User.objects.create_user("rita", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_postback"))
    client.force_login(reader)
    assert GIVEN_UP not in client.get(LIST).content.decode()
    assert client.post(GIVEN_UP, period_form(sample)).status_code == 403


def test_only_ended_postbacks_are_replayed(superuser: Client, sample: SimpleNamespace) -> None:
    waiting = sample.delivered.postbacks.get(code="N502")
    before = waiting.due_at
    superuser.post(LIST, action_form("send_again", sample.postback, waiting))
    again = Postback.objects.get(pk=sample.postback.pk)
    assert (again.status, again.tries_since_replay, again.due_at is not None) == ("pending", 0, True)
    waiting.refresh_from_db()
    assert waiting.due_at == before


def test_button_of_a_postback_replays_it(superuser: Client, sample: SimpleNamespace) -> None:
    button = reverse("admin:mms_postback_send_this_again", args=[sample.postback.pk])
    superuser.post(button, {"_form_submitted": "on"})
    sample.postback.refresh_from_db()
    assert sample.postback.status == "pending"
    assert superuser.get(button).status_code == 403
