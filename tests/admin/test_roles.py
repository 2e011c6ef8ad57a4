"""The predefined roles: which pages each sees, and which data is masked."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from billing.models import Account
from mms.models import Attempt, Event, Message, Postback, PostbackAttempt, Report, Slide


def operator(role: str) -> Client:
    user = User.objects.create_user(f"rita the {role}", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def lists(client: Client) -> dict[str, str]:
    """Return the URLs of the lists in the sidebar by title."""
    groups = client.get(reverse("admin:index")).context["sidebar_navigation"]
    items = [item for group in groups for item in group["items"] if item["has_permission"]]
    return {item["title"]: str(item["link"]) for item in items[1:]}  # the first is the dashboard


def pages(client: Client) -> Iterator[str]:
    """Yield the dashboard, each list, and the page of one row of each list."""
    yield client.get(reverse("admin:index")).content.decode()
    for link in lists(client).values():
        response = client.get(link)
        yield response.content.decode()
        for row in response.context["cl"].result_list[:1]:
            yield client.get(f"{link}{row.pk}/change/").content.decode()


SEEN_BY_SUPPORT = (
    "Messages, Discoveries, Attempts, Delivery reports, Postbacks, Templates, Slides, Media, Renditions, Handsets, "
    "Profiles, Accounts, API keys, Sender addresses, Prices, Ledger, Low-balance notices, Carriers"
)
SEEN_BY_OPERATORS = (
    "Messages, Discoveries, Attempts, Delivery reports, Postbacks, Templates, Slides, Media, Renditions, Handsets, "
    "Profiles, Handset cache, Accounts, API keys, Sender addresses, Blocked numbers, Prices, Ledger, "
    "Low-balance notices, Carriers"
)


@pytest.mark.parametrize(
    ("role", "titles"),
    [
        ("Operator", SEEN_BY_OPERATORS),
        ("Support", SEEN_BY_SUPPORT),
        ("Finance", "Accounts, Prices, Ledger, Low-balance notices"),
        ("Handset editor", "Handsets, Profiles"),
    ],
)
def test_each_role_sees_its_lists(sample: SimpleNamespace, role: str, titles: str) -> None:
    client = operator(role)
    assert list(shown := lists(client)) == titles.split(", ")
    assert {client.get(link).status_code for link in shown.values()} == {200}


def test_support_sees_no_numbers_or_secrets_and_changes_nothing(sample: SimpleNamespace) -> None:
    client = operator("Support")
    shown = "".join(pages(client))
    message = Message.objects.latest("pk")
    numbers = Message.objects.values_list("number", flat=True)
    secrets = [sample.account.signing_secret, sample.carrier.mmsc_password, sample.carrier.inbound_password]
    assert [secret for secret in (*numbers, *secrets) if secret in shown] == []
    assert f"44…{message.number[-2:]}" in shown
    found = client.get(reverse("admin:mms_message_changelist"), {"q": message.number})
    assert message.tracking_id in found.content.decode()
    assert client.post(reverse("admin:billing_account_change", args=[sample.account.pk])).status_code == 403


def test_support_sees_free_texts_masked(sample: SimpleNamespace) -> None:
    number, url = sample.delivered.number, "https://us:hunter2@customer.example/mms"
    text = f"Address error: +{number}"
    Account.objects.update(postback_url=url, mo_url=url)
    Message.objects.update(client_reference=number, data={"phone": number}, texts={"1": text})
    Slide.objects.update(text=text)
    Event.objects.update(text=text, details={"answer": text})
    Attempt.objects.update(text=text)
    Report.objects.update(text=text, raw_status=text)
    Postback.objects.update(fields={"code": "E101", "to": number, "status-details": text})
    PostbackAttempt.objects.update(url=url, answer=text)
    support, operator_client = operator("Support"), operator("Operator")
    rows = (sample.delivered, sample.postback, sample.delivered.attempts.get(), sample.delivered.discovery)
    details = [reverse(f"admin:mms_{row._meta.model_name}_change", args=[row.pk]) for row in rows]
    shown = [*pages(support), *(support.get(page).content.decode() for page in details)]
    assert [page for page in shown if number in page or "hunter2" in page] == []
    assert "Address error: 1…00" in shown[-1]
    assert all(text in operator_client.get(page).content.decode() for page in details)


@pytest.mark.parametrize(
    ("page", "field"),
    [
        ("billing_account", "signing_secret"),
        ("billing_account", "previous_secret"),
        ("mms_carrier", "mmsc_password"),
        ("mms_carrier", "inbound_password"),
        ("mms_message", "number"),
        ("mms_discovery", "number"),
        ("mms_report", "number"),
        ("mms_postback", "fields__to"),
    ],
)
def test_support_cannot_filter_by_masked_fields(sample: SimpleNamespace, page: str, field: str) -> None:
    client = operator("Support")
    rows = reverse(f"admin:{page}_changelist")
    assert client.get(rows, {f"{field}__startswith": "1"}).status_code == 400


@pytest.mark.parametrize("page", ["mms_message", "mms_discovery"])
def test_support_finds_a_number_only_in_full(sample: SimpleNamespace, page: str) -> None:
    client = operator("Support")
    number = sample.delivered.number

    def found(term: str) -> int:
        return len(client.get(reverse(f"admin:{page}_changelist"), {"q": term}).context["cl"].result_list)

    assert (found(number), found(f"+{number}"), found(number[:-1])) == (1, 1, 0)


def test_support_can_use_the_list_filters(sample: SimpleNamespace) -> None:
    client = operator("Support")
    for page, filters in {
        "mms_message": {"status": "delivered", "account__id__exact": sample.account.pk},
        "mms_postback": {"status": "given-up"},
        "mms_report": {"match": "no", "carrier__id__exact": sample.carrier.pk},
        "billing_account": {"status__exact": "active"},
        "mms_carrier": {"enabled__exact": "1"},
    }.items():
        response = client.get(reverse(f"admin:{page}_changelist"), filters)
        assert len(response.context["cl"].result_list) == 1


def test_operator_role_sees_unmasked_numbers(sample: SimpleNamespace) -> None:
    shown = operator("Operator").get(reverse("admin:mms_message_changelist")).content.decode()
    assert Message.objects.latest("pk").number in shown


def test_finance_books_money_and_sees_no_messages(sample: SimpleNamespace) -> None:
    client = operator("Finance")
    form = {"_form_submitted": "on", "amount": "12.50", "note": "invoice 7"}
    client.post(reverse("admin:billing_account_top_up", args=[sample.account.pk]), form)
    assert sample.account.ledger.latest("pk").note == "invoice 7"
    assert client.get(reverse("admin:mms_message_changelist")).status_code == 403
