"""The admin of accounts and API keys."""

import re
from types import SimpleNamespace

import pytest
from django.test import Client
from django.urls import reverse

from base.stale_cache import Freshness
from billing import keys
from billing.models import ApiKey
from tests.admin.forms import account_page, form_values, save_form
from tests.admin.sample_data import KEY

KEYS = reverse("admin:billing_apikey_changelist")


def is_valid(key: str) -> bool:
    return keys.find(key, Freshness.CURRENT) is not None


def test_new_key_works_and_is_shown_once(superuser: Client, sample: SimpleNamespace) -> None:
    form = reverse("admin:billing_apikey_add")
    assert "Issue an API key" in superuser.get(account_page(sample)).content.decode()
    response = superuser.post(form, {"account": sample.account.pk, "label": "shop"}, follow=True)
    (key,) = re.findall(r"<strong>(\w{32})</strong>", response.content.decode())
    assert is_valid(key)
    issued = ApiKey.objects.get(label="shop")
    for address in (KEYS, reverse("admin:billing_apikey_change", args=[issued.pk]), account_page(sample)):
        page = superuser.get(address).content.decode()
        assert key not in page
        assert issued.digest not in page
        assert issued.prefix in page


def test_issue_key_button_preselects_the_account(superuser: Client, sample: SimpleNamespace) -> None:
    form = superuser.get(reverse("admin:billing_account_issue_key", args=[sample.account.pk]), follow=True)
    assert form.context["adminform"].form["account"].value() == str(sample.account.pk)


def test_revoked_key_is_invalid_at_once(superuser: Client, sample: SimpleNamespace) -> None:
    assert is_valid(KEY)
    row = ApiKey.objects.get(digest=keys.digest(KEY))
    superuser.post(KEYS, {"action": "revoke", "_selected_action": [row.pk], "index": 0})
    assert not is_valid(KEY)
    row.refresh_from_db()
    revoked = row.revoked_at
    superuser.post(KEYS, {"action": "revoke", "_selected_action": [row.pk], "index": 0})
    row.refresh_from_db()
    assert row.revoked_at == revoked


def test_key_edit_changes_only_the_label(superuser: Client, sample: SimpleNamespace) -> None:
    row = ApiKey.objects.get()
    superuser.post(
        reverse("admin:billing_apikey_change", args=[row.pk]), {"label": "new", "prefix": "x", "digest": "y"}
    )
    assert ApiKey.objects.values_list("label", "digest").get() == ("new", keys.digest(KEY))


def test_account_is_changed_with_its_senders_and_services(superuser: Client, sample: SimpleNamespace) -> None:
    form = form_values(superuser, account_page(sample)) | {"name": "Renamed", "senders-0-address": "28555"}
    save_form(superuser, account_page(sample), form)
    sample.account.refresh_from_db()
    assert (sample.account.name, sample.account.senders.get().address) == ("Renamed", "28555")
    assert is_valid(KEY)


def test_allowed_actions_of_a_key_are_set_and_changed(superuser: Client, sample: SimpleNamespace) -> None:
    form = {"account": sample.account.pk, "label": "shop", "allowed_actions": ["savemms"]}
    superuser.post(reverse("admin:billing_apikey_add"), form)
    issued = ApiKey.objects.get(label="shop")
    assert (issued.allows("savemms"), issued.allows("sendsavedmms")) == (True, False)
    address = reverse("admin:billing_apikey_change", args=[issued.pk])
    superuser.post(address, {"label": "shop", "allowed_actions": ["savemms", "sendsavedmms"]})
    issued.refresh_from_db()
    assert issued.allows("sendsavedmms")
    superuser.post(address, {"label": "shop"})
    issued.refresh_from_db()
    assert issued.allows("deletemmsid")


def test_limits_of_an_account_are_set(superuser: Client, sample: SimpleNamespace) -> None:
    limits = {"allowed_networks": "203.0.113.0/24,2001:db8::1", "throughput": '{"sendSavedMMS": 20}'}
    save_form(
        superuser,
        account_page(sample),
        form_values(superuser, account_page(sample)) | limits | {"minimum_interval": "100"},
    )
    account = type(sample.account).objects.get()
    assert account.allowed_networks == ["203.0.113.0/24", "2001:db8::1"]
    assert (account.minimum_interval, account.calls_per_second("sendsavedmms")) == (100, 20)
    assert account.calls_per_second("savemms") is None


@pytest.mark.parametrize("nothing", ["", "[]"])
def test_empty_throughput_sets_no_limit(superuser: Client, sample: SimpleNamespace, nothing: str) -> None:
    save_form(superuser, account_page(sample), form_values(superuser, account_page(sample)) | {"throughput": nothing})
    assert type(sample.account).objects.get().calls_per_second("sendsavedmms") is None


@pytest.mark.parametrize(
    ("field", "typed", "error"),
    [
        ("allowed_networks", "203.0.113.0/24,203.0.113.9/24", "203.0.113.9/24 is not a network in CIDR notation"),
        ("allowed_networks", "everyone", "everyone is not a network in CIDR notation"),
        ("throughput", "[20]", "Enter a JSON object of action and calls per second"),
        ("throughput", '{"sendEverything": 20}', "Unknown action sendEverything. The actions are: sendSavedMMS, "),
        ("throughput", '{"saveMMS": 1, "savemms": 2}', "is given more than once"),
        ("throughput", '{"saveMMS": 0}', "saveMMS: enter a whole number of calls per second from 1"),
        ("throughput", '{"saveMMS": true}', "saveMMS: enter a whole number of calls per second from 1"),
        ("throughput", '{"saveMMS": 0.5}', "saveMMS: enter a whole number of calls per second from 1"),
        ("throughput", '{"saveMMS": 1000000}', "saveMMS: enter a whole number of calls per second from 1 to 100000"),
        ("minimum_interval", "-1", "greater than or equal to 0"),
    ],
)
def test_invalid_limits_are_refused(
    superuser: Client, sample: SimpleNamespace, field: str, typed: str, error: str
) -> None:
    response = superuser.post(account_page(sample), form_values(superuser, account_page(sample)) | {field: typed})
    assert error in response.context["adminform"].form.errors[field].as_text()


def secret_buttons(superuser: Client, sample: SimpleNamespace) -> list[str]:
    page = superuser.get(reverse("admin:billing_account_change", args=[sample.account.pk])).content.decode()
    return [name for name in ("rotate_secret", "drop_secret") if button(sample, name) in page]


def button(sample: SimpleNamespace, name: str) -> str:
    return reverse(f"admin:billing_account_{name}", args=[sample.account.pk])


def test_signing_secret_is_rotated_and_the_old_one_dropped(superuser: Client, sample: SimpleNamespace) -> None:
    old = sample.account.signing_secret
    assert secret_buttons(superuser, sample) == ["rotate_secret"]
    superuser.post(button(sample, "rotate_secret"), {"_form_submitted": "on"})
    sample.account.refresh_from_db()
    assert sample.account.previous_secret == old
    assert sample.account.signing_secret != old
    assert secret_buttons(superuser, sample) == ["drop_secret"]
    assert superuser.post(button(sample, "rotate_secret"), {"_form_submitted": "on"}).status_code == 403
    superuser.post(button(sample, "drop_secret"), {"_form_submitted": "on"})
    sample.account.refresh_from_db()
    assert sample.account.previous_secret == ""
    assert secret_buttons(superuser, sample) == ["rotate_secret"]


@pytest.mark.parametrize("name", ["signing_secret", "previous_secret"])
def test_signing_secrets_are_not_editable(superuser: Client, sample: SimpleNamespace, name: str) -> None:
    page = superuser.get(reverse("admin:billing_account_change", args=[sample.account.pk]))
    assert page.context["adminform"].form.fields[name].disabled


def test_new_account_has_a_signing_secret(superuser: Client, sample: SimpleNamespace) -> None:
    form = superuser.get(reverse("admin:billing_account_add")).context["adminform"].form
    assert len(form["signing_secret"].value()) >= 32
