"""The admin of carriers."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.test import Client
from django.urls import reverse

from mms.models import Attempt, Carrier, CarrierFeed
from tests.admin.forms import form_values, save_form


@pytest.mark.parametrize(
    ("user", "typed", "stored"),
    [("us", "", "mmsc-password"), ("us", "new", "new"), ("them", "", "mmsc-password"), ("", "", ""), ("", "new", "")],
)
def test_empty_password_field_keeps_the_password(
    superuser: Client, sample: SimpleNamespace, user: str, typed: str, stored: str
) -> None:
    address = reverse("admin:mms_carrier_change", args=[sample.carrier.pk])
    page = superuser.get(address).content.decode()
    assert "mmsc-password" not in page
    assert "inbound-password" not in page
    form = form_values(superuser, address) | {"mmsc_username": user, "mmsc_password": typed, "inbound_password": ""}
    save_form(superuser, address, form)
    sample.carrier.refresh_from_db()
    assert (sample.carrier.mmsc_password, sample.carrier.inbound_password) == (stored, "inbound-password")


AGAIN = "Enter the password again: the MMSC URL names another server"


@pytest.mark.parametrize(
    ("stored", "url", "typed", "asked"),
    [
        ("https://mmsc.example/mm7", "https://other.example/mm7", "", True),
        ("https://mmsc.example/mm7", "http://mmsc.example/mm7", "", True),
        ("https://mmsc.example/mm7", "https://mmsc.example:8443/mm7", "", True),
        ("https://mmsc.example/mm7", "https://mmsc.example@other.example/mm7", "", True),
        ("", "https://other.example/mm7", "", True),
        ("https://mmsc.example/mm7", "https://other.example/mm7", "new", False),
        ("https://mmsc.example/mm7", "https://MMSC.example:443/mm7/v2", "", False),
        ("https://mmsc.example/mm7", "", "", False),
    ],
)
def test_other_mmsc_server_requires_the_password_again(
    superuser: Client, sample: SimpleNamespace, stored: str, url: str, typed: str, asked: bool
) -> None:
    Carrier.objects.filter(pk=sample.carrier.pk).update(mmsc_url=stored)
    address = reverse("admin:mms_carrier_change", args=[sample.carrier.pk])
    form = form_values(superuser, address) | {"mmsc_username": "us", "mmsc_url": url, "mmsc_password": typed}
    answer = superuser.post(address, form)
    assert (AGAIN in answer.content.decode()) == asked
    sample.carrier.refresh_from_db()
    kept = (stored, "mmsc-password") if asked else (url, typed or "mmsc-password")
    assert (sample.carrier.mmsc_url, sample.carrier.mmsc_password) == kept


@pytest.mark.parametrize(
    ("field", "typed", "error"),
    [
        (
            "code_overrides",
            '{"3001": "sometimes"}',
            "3001: enter a code of digits and one of these outcomes: submitted, ",
        ),
        ("code_overrides", '{"busy": "transient"}', "busy: enter a code of digits"),
        ("code_overrides", '{"3001": "unreachable"}', "3001: enter a code of digits"),
        ("throughput", "0", "Ensure this value is greater than or equal to 1."),
        ("throughput", "many", "Enter a whole number."),
        ("code_overrides", "[1]", "Enter a JSON object of code and outcome"),
        ("status_overrides", '{"4": "Eaten"}', "4: enter one of these meanings: Expired, Retrieved, "),
        ("status_overrides", "[1]", "Enter a JSON object of MMStatus and meaning"),
        ("inbound_networks", "10.0.0.0/8,10.0.0.1/8", "10.0.0.1/8 is not a network in CIDR notation"),
        ("inbound_networks", "everyone", "everyone is not a network in CIDR notation"),
        ("prefixes-0-prefix", "+1", "Enter digits only."),
    ],
)
def test_invalid_carrier_is_refused(
    superuser: Client, sample: SimpleNamespace, field: str, typed: str, error: str
) -> None:
    address = reverse("admin:mms_carrier_change", args=[sample.carrier.pk])
    response = superuser.post(address, form_values(superuser, address) | {field: typed})
    assert response.status_code == 200
    assert error in response.content.decode()


def test_carrier_is_added_with_its_prefixes(superuser: Client, sample: SimpleNamespace) -> None:
    address = reverse("admin:mms_carrier_add")
    typed = {"name": "Other", "slug": "other", "operator_id": "7", "vaspid": "v", "vasid": "v"}
    prefix = {"prefixes-TOTAL_FORMS": "1", "prefixes-0-prefix": "44"}
    save_form(superuser, address, form_values(superuser, address) | typed | prefix)
    assert Carrier.objects.get(slug="other").prefixes.get().prefix == "44"


def test_carrier_page_names_the_latest_refusals(superuser: Client, sample: SimpleNamespace) -> None:
    page = reverse("admin:mms_carrier_change", args=[sample.carrier.pk])
    assert "HTTP 401" not in superuser.get(page).content.decode()
    attempt = Attempt.objects.filter(carrier=sample.carrier, message__isnull=False).latest("pk")
    attempt.outcome, attempt.http_status, attempt.code = Attempt.Outcome.TRANSIENT, 401, None
    attempt.text, attempt.finished_at = "HTTP 401: <b>14045550100</b>", datetime(2026, 11, 29, 12, 0, 30, tzinfo=UTC)
    attempt.save()
    shown = superuser.get(page).content.decode()
    assert "HTTP 401 &lt;b&gt;1\u202600&lt;/b&gt; (1, last at 2026-11-29 12:00:30 UTC)" in shown
    for model, key in (("attempt", attempt.pk), ("message", attempt.message_id)):
        address = reverse(f"admin:mms_{model}_change", args=[key])
        assert "401" in superuser.get(address).content.decode()


def test_carrier_page_and_list_show_the_pause(superuser: Client, sample: SimpleNamespace) -> None:
    pages = (reverse("admin:mms_carrier_change", args=[sample.carrier.pk]), reverse("admin:mms_carrier_changelist"))
    assert all("paused until" not in superuser.get(page).content.decode() for page in pages)
    CarrierFeed.objects.create(carrier=sample.carrier, failures=7, pauses=1, paused_until="2026-11-29T12:00:30Z")
    shown = "paused until 2026-11-29 12:00:30; 7 without an answer"
    assert all(shown in superuser.get(page).content.decode() for page in pages)
    form = form_values(superuser, pages[0]) | {"throughput": "25"}
    save_form(superuser, pages[0], form)
    sample.carrier.refresh_from_db()
    assert (sample.carrier.throughput, CarrierFeed.objects.get().failures) == (25, 7)
