"""What operators without the right to see numbers learn of numbers, and nobody of the secrets in URLs."""

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models import CharField, Field, JSONField, Model, TextField, Value
from django.db.models.functions import Concat
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing.models import Account
from mms.admin import masking, number_searches
from mms.admin.records import RecordAdmin
from mms.models import Attempt, Carrier, Message, PostbackAttempt, TextArea
from mms.runtime.http_client import NoReply
from tests.admin.test_roles import lists, operator, pages
from tests.database.plans import explained
from tests.observation.test_logs import lines, written

__all__ = ["lines", "written"]

LIST = reverse("admin:mms_message_changelist")
# What the platform itself writes, or what names a business.
NOT_FREE = {"sha256", "mime_type", "recipe", "file", "sender", "status", "kind", "font", "color", "from_mask"}
SECRET_URL = "https://us:hunter2@customer.example/mms?id=7&token=hunter3"


def found(client: Client, term: str, page: str = LIST) -> list[Any]:
    return list(client.get(page, {"q": term}).context["cl"].result_list)


# --- masked forms -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("to 14044790000.", "to 1…00."),
        ("to +14044790000/TYPE=PLMN", "to 1…00/TYPE=PLMN"),
        ("tel:+1-404-479-0000", "tel:1…00"),
        ("+1 404-479-0000 is barred", "1…00 is barred"),
        ("1.404.479.0000, 1 (404) 479-0000", "1…00, 1…00"),
        ("(404) 479-0000", "…00"),
        ("404.479.0000 or 404 479 0000", "…00 or …00"),
        ("call 07700 900123", "call …23"),
        ("00 44 7700 900123", "…23"),
        ("+44 (0)7700 900123", "…23"),
        ("sip:user14044790000x@host", "sip:user1…00x@host"),
        ("to=%2B14044790000&x", "to=%2B1…00&amp;x"),
        ("１４０４４７９００００", "1…00"),
        ("404 479 0000 404 555 0100", "…00"),
        ("28444 1 404 479 0000 31002", "…02"),
        ("1 (404) 479-0000, +44 7700 900123", "1…00, 44…23"),
        ("2026-11-22: 28444 says 4006 to 31002", "2026-11-22: 28444 says 4006 to 31002"),
    ],
)
def test_support_sees_numbers_of_any_notation_masked(sample: SimpleNamespace, text: str, shown: str) -> None:
    Attempt.objects.update(text=text)
    page = reverse("admin:mms_attempt_change", args=[Attempt.objects.latest("pk").pk])
    assert shown in operator("Support").get(page).content.decode()
    assert text.replace("&", "&amp;") in operator("Operator").get(page).content.decode()


@pytest.mark.parametrize(
    ("number", "shown"),
    [("14044790000", "1…00"), ("447700900123", "44…23"), ("29012345", "…"), ("4044790000", "…00"), ("28444", "28444")],
)
def test_masked_number_hides_at_least_six_digits(number: str, shown: str) -> None:
    assert masking.mask_number(number) == shown


def free_fields(model: type[Model]) -> Iterator["Field[Any, Any]"]:
    """Yield the fields of the model that hold what MMSCs and customers wrote, and have room for a number."""
    for field in model._meta.concrete_fields:
        if field.name in NOT_FREE or field.choices or field.unique or (field.max_length or 999) < len("14044790000"):
            continue
        if isinstance(field, CharField | TextField | JSONField):
            yield field


def test_support_sees_no_number_in_any_free_text(sample: SimpleNamespace) -> None:
    number = "14044790000"
    slide = sample.template.slides.get(position=1)
    TextArea.objects.create(slide=slide, text="", left=0, top=0, width=300, height=300, font_size=20)
    models = [page.model for page in admin.site._registry.values() if isinstance(page, RecordAdmin)]
    for model in [*models, TextArea, PostbackAttempt]:
        changed: dict[str, Any] = {field.name: value_of(field, number) for field in free_fields(model)}
        if "mmsc_id" in changed:
            changed["mmsc_id"] = Concat(Value(f"id {number} of "), "pk", output_field=TextField())
        if changed:
            model._default_manager.update(**changed)
    client = operator("Support")
    seen = "".join(page for page in pages(client))
    for link in lists(client).values():
        for row in client.get(link).context["cl"].result_list:
            seen += client.get(f"{link}{row.pk}/change/").content.decode()
    assert [seen[at.start() - 300 : at.end() + 50] for at in re.finditer(number, seen)] == []
    assert "1…00" in seen


def value_of(field: "Field[Any, Any]", number: str) -> Any:
    if isinstance(field, JSONField):
        return dict.fromkeys(("to", "status-details", "client-reference", number), number)
    return number


# --- secrets in URLs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["Operator", "Support", "Finance"])
def test_nobody_sees_secrets_of_urls_in_lists_and_attempts(sample: SimpleNamespace, role: str) -> None:
    Account.objects.update(postback_url=SECRET_URL)
    Carrier.objects.update(mmsc_url=SECRET_URL)
    Attempt.objects.update(text=f"no answer from {SECRET_URL}")
    PostbackAttempt.objects.update(url=SECRET_URL, error=f"InvalidURL: {SECRET_URL}")
    Message.objects.update(texts={"1": SECRET_URL})
    client = operator(role)
    shown = [client.get(link).content.decode() for link in lists(client).values()]
    for row in (sample.delivered, sample.postback, sample.delivered.attempts.get()) if role != "Finance" else ():
        page = client.get(reverse(f"admin:mms_{row._meta.model_name}_change", args=[row.pk]))
        shown.append(page.content.decode())
        assert "https://***@customer.example/mms?id=7&amp;token=***" in shown[-1]
    assert [page for page in shown if "hunter" in page] == []


def test_operator_edits_the_whole_url_of_a_carrier(sample: SimpleNamespace) -> None:
    Carrier.objects.update(mmsc_url=SECRET_URL)
    page = reverse("admin:mms_carrier_change", args=[sample.carrier.pk])
    assert "hunter3" in operator("Operator").get(page).content.decode()
    assert "hunter" not in operator("Support").get(page).content.decode()


# --- search -------------------------------------------------------------------------------------------------------


def test_searches_by_number_are_recorded_and_limited(
    sample: SimpleNamespace, lines: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client, number = operator("Support"), sample.delivered.number
    for guess in range(number_searches.LIMIT - 1):
        assert found(client, f"1404555{guess:04d}") == []
    assert found(client, number) == [sample.delivered]
    assert found(client, number) == [sample.delivered]  # a repeated search reveals nothing
    response = client.get(LIST, {"q": "+1 404 479-0001"})
    assert (list(response.context["cl"].result_list), "within an hour" in response.content.decode()) == ([], True)
    assert found(client, sample.in_doubt.number) == []
    assert found(client, sample.in_doubt.number, reverse("admin:mms_discovery_changelist")) == []
    assert found(client, sample.delivered.tracking_id) == [sample.delivered]
    entries = LogEntry.objects.filter(action_flag=number_searches.SEARCH)
    assert (entries.count(), entries.filter(object_repr=number).count()) == (number_searches.LIMIT + 4, 2)
    logged = [line for line in lines() if line["event"] == "search by number"]
    assert (len(logged), logged[-1]["rows"], number in str(logged)) == (number_searches.LIMIT + 4, "discovery", False)


@pytest.mark.parametrize("notation", ["{}      {}", "{}((((((({}", "(((((((((({}{}", "+" * 180 + "{}{}"])
def test_padded_numbers_are_recorded_and_limited(sample: SimpleNamespace, notation: str) -> None:
    client, number = operator("Support"), sample.delivered.number

    def padded(number: str) -> str:
        return notation.format(number[:6], number[6:])

    assert found(client, padded(number)) == [sample.delivered]
    for guess in range(number_searches.LIMIT - 1):
        assert found(client, padded(f"1404555{guess:04d}")) == []
    assert LogEntry.objects.filter(object_repr=number).count() == 1
    assert found(client, padded(number)) == [sample.delivered]  # a term that is counted already
    assert found(client, padded("14045559999")) == []
    assert LogEntry.objects.values("object_repr").distinct().count() == number_searches.LIMIT + 1


def test_overlong_search_term_finds_nothing(sample: SimpleNamespace) -> None:
    assert found(operator("Support"), "+" * 200 + sample.delivered.number) == []


def test_limit_of_searches_ends_after_an_hour(sample: SimpleNamespace) -> None:
    client, number = operator("Support"), sample.delivered.number
    for guess in range(number_searches.LIMIT):
        found(client, f"1404555{guess:04d}")
    assert found(client, number) == []
    LogEntry.objects.update(action_time=timezone.now() - number_searches.PERIOD)
    assert found(client, number) == [sample.delivered]


def test_operators_who_see_numbers_are_not_limited(sample: SimpleNamespace) -> None:
    client = operator("Operator")
    assert found(client, sample.delivered.number[:6]) == [sample.delivered]
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("role", ["Operator", "Support"])
def test_messages_are_found_by_client_reference(sample: SimpleNamespace, role: str) -> None:
    Message.objects.filter(pk=sample.delivered.pk).update(client_reference="order 7")
    Message.objects.filter(pk=sample.in_doubt.pk).update(client_reference=sample.delivered.number)
    client = operator(role)
    assert found(client, "order 7") == [sample.delivered]
    assert found(client, "order") == []
    assert found(client, sample.delivered.number) == [sample.in_doubt, sample.delivered]
    assert LogEntry.objects.count() == (1 if role == "Support" else 0)


def test_search_by_client_reference_uses_its_index(sample: SimpleNamespace) -> None:
    Message.objects.filter(pk=sample.delivered.pk).update(client_reference="order 7")
    client = operator("Support")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    with explained() as statements:
        assert found(client, "order 7") == [sample.delivered]
    searches = [each for each in statements if each.table == "mms_message" and "client_reference" in each.sql]
    assert [each for each in searches if "message_by_client_reference" not in each.indexes] == []


def test_support_finds_a_template_with_digits_by_its_whole_name(sample: SimpleNamespace) -> None:
    type(sample.template).objects.update(name="Call 14044790000")
    client, page = operator("Support"), reverse("admin:mms_template_changelist")
    assert [len(found(client, term, page)) for term in ("call", "Call 1404", "call 14044790000")] == [1, 0, 1]


def test_reason_of_a_failed_request_hides_the_secrets_of_its_url() -> None:
    from mms.runtime import http_client

    reason = http_client._reason(ValueError(f"bad URL {SECRET_URL}"))
    assert "hunter" not in NoReply(False, reason, 0.0).reason
