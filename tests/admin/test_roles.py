"""The roles that a new platform comes with: what each operator sees, and what is kept from him."""

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
    """The lists that the sidebar shows, by their titles."""
    groups = client.get(reverse("admin:index")).context["sidebar_navigation"]
    items = [item for group in groups for item in group["items"] if item["has_permission"]]
    return {item["title"]: str(item["link"]) for item in items[1:]}  # the first is the dashboard


def pages(client: Client) -> Iterator[str]:
    """The first page, each list, and the page of a row of each."""
    yield client.get(reverse("admin:index")).content.decode()
    for link in lists(client).values():
        answer = client.get(link)
        yield answer.content.decode()
        for row in answer.context["cl"].result_list[:1]:
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
def test_each_role_sees_its_lists(world: SimpleNamespace, role: str, titles: str) -> None:
    client = operator(role)
    assert list(shown := lists(client)) == titles.split(", ")
    assert {client.get(link).status_code for link in shown.values()} == {200}


def test_support_sees_neither_whole_numbers_nor_secrets_and_changes_nothing(world: SimpleNamespace) -> None:
    client = operator("Support")
    shown = "".join(pages(client))
    message = Message.objects.latest("pk")
    numbers = Message.objects.values_list("number", flat=True)
    secrets = [world.account.signing_secret, world.carrier.mmsc_password, world.carrier.inbound_password]
    assert [secret for secret in (*numbers, *secrets) if secret in shown] == []
    assert f"{message.number[:4]}…{message.number[-2:]}" in shown
    found = client.get(reverse("admin:mms_message_changelist"), {"q": message.number})
    assert message.tracking_id in found.content.decode()
    assert client.post(reverse("admin:billing_account_change", args=[world.account.pk])).status_code == 403


def test_support_sees_no_number_and_no_password_in_what_others_wrote(world: SimpleNamespace) -> None:
    number, url = world.delivered.number, "https://us:hunter2@customer.example/mms"
    words = f"Address error: +{number}"
    Account.objects.update(postback_url=url, mo_url=url)
    Message.objects.update(client_reference=number, data={"phone": number}, texts={"1": words})
    Slide.objects.update(text=words)
    Event.objects.update(text=words, details={"answer": words})
    Attempt.objects.update(text=words)
    Report.objects.update(text=words, raw_status=words)
    Postback.objects.update(fields={"code": "E101", "to": number, "status-details": words})
    PostbackAttempt.objects.update(url=url, answer=words)
    support, all_seeing = operator("Support"), operator("Operator")
    rows = (world.delivered, world.postback, world.delivered.attempts.get(), world.delivered.discovery)
    details = [reverse(f"admin:mms_{row._meta.model_name}_change", args=[row.pk]) for row in rows]
    shown = [*pages(support), *(support.get(page).content.decode() for page in details)]
    assert [page for page in shown if number in page or "hunter2" in page] == []
    assert f"Address error: ***{number[-3:]}" in shown[-1]
    assert all(words in all_seeing.get(page).content.decode() for page in details)


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
def test_support_cannot_find_out_letter_by_letter_what_is_kept_from_him(
    world: SimpleNamespace, page: str, field: str
) -> None:
    client = operator("Support")
    rows = reverse(f"admin:{page}_changelist")
    assert client.get(rows, {f"{field}__startswith": "1"}).status_code == 400


@pytest.mark.parametrize("page", ["mms_message", "mms_discovery"])
def test_support_finds_a_number_only_whole(world: SimpleNamespace, page: str) -> None:
    client = operator("Support")
    number = world.delivered.number

    def found(term: str) -> int:
        return len(client.get(reverse(f"admin:{page}_changelist"), {"q": term}).context["cl"].result_list)

    assert (found(number), found(f"+{number}"), found(number[:-1])) == (1, 1, 0)


def test_support_still_has_the_filters_of_the_lists(world: SimpleNamespace) -> None:
    client = operator("Support")
    for page, filters in {
        "mms_message": {"status": "delivered", "account__id__exact": world.account.pk},
        "mms_postback": {"status": "given-up"},
        "mms_report": {"match": "no", "carrier__id__exact": world.carrier.pk},
        "billing_account": {"status__exact": "active"},
        "mms_carrier": {"enabled__exact": "1"},
    }.items():
        answer = client.get(reverse(f"admin:{page}_changelist"), filters)
        assert len(answer.context["cl"].result_list) == 1


def test_an_operator_sees_whole_numbers(world: SimpleNamespace) -> None:
    shown = operator("Operator").get(reverse("admin:mms_message_changelist")).content.decode()
    assert Message.objects.latest("pk").number in shown


def test_finance_books_money_and_sees_no_messages(world: SimpleNamespace) -> None:
    client = operator("Finance")
    form = {"_form_submitted": "on", "amount": "12.50", "note": "invoice 7"}
    client.post(reverse("admin:billing_account_top_up", args=[world.account.pk]), form)
    assert world.account.ledger.latest("pk").note == "invoice 7"
    assert client.get(reverse("admin:mms_message_changelist")).status_code == 403
