"""Prices, top-ups, adjustments, the ledger and statements as operators see and make them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from base.stale_cache import Freshness
from billing import ledger
from billing.models import Account, Balance, LedgerEntry, Price
from billing.prices import Quote, quote
from mms.messages import statements
from tests.admin.test_setup import account_page, fields, save

LEDGER = reverse("admin:billing_ledgerentry_changelist")


def book(console: Client, world: SimpleNamespace, action: str, **typed: str) -> Any:
    address = reverse(f"admin:billing_account_{action}", args=[world.account.pk])
    return console.post(address, {"_form_submitted": "on", **typed})


def clerk(*rights: str) -> Client:
    """An operator with these rights alone."""
    user = User.objects.create_user("carl", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def balance() -> int:
    assert ledger.reconcile() == []
    return Balance.objects.get().balance


def test_a_top_up_is_booked_with_its_note_and_its_operator(console: Client, world: SimpleNamespace) -> None:
    before = balance()
    answer = book(console, world, "top_up", amount="12.50", note="invoice 7")
    assert answer["HX-Redirect"] == account_page(world)
    entry = LedgerEntry.objects.latest("pk")
    assert (entry.kind, entry.balance_change, entry.note) == ("top-up", 12_500_000, "invoice 7")
    assert balance() == before + 12_500_000
    logged = LogEntry.objects.latest("pk")
    assert (logged.user.get_username(), logged.change_message) == ("olga", "Booked 12.50 USD: invoice 7")
    assert "Booked to Customer: 12.50 USD." in console.get(account_page(world)).content.decode()


def test_what_cannot_be_logged_is_not_booked(console: Client, world: SimpleNamespace) -> None:
    before = balance()

    def fail(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if "django_admin_log" in sql:
            raise OperationalError("the connection is lost")
        return execute(sql, *rest)

    with pytest.raises(OperationalError), connection.execute_wrapper(fail):
        book(console, world, "top_up", amount="12.50", note="invoice 7")
    assert balance() == before


def test_an_adjustment_may_take_away(console: Client, world: SimpleNamespace) -> None:
    before = balance()
    book(console, world, "adjust", amount="-0.005", note="booked twice")
    assert balance() == before - 5_000


@pytest.mark.parametrize(
    ("action", "typed", "error"),
    [
        ("top_up", {"amount": "-1", "note": "n"}, "greater than or equal to 0.000001"),
        ("top_up", {"amount": "0", "note": "n"}, "greater than or equal to 0.000001"),
        ("top_up", {"amount": "1", "note": ""}, "This field is required."),
        ("top_up", {"amount": "much", "note": "n"}, "Enter a number."),
        ("top_up", {"amount": "99999999", "note": "n"}, "less than or equal to 10000000"),
        ("adjust", {"amount": "0", "note": "n"}, "The amount must not be zero."),
        ("adjust", {"note": "n"}, "This field is required."),
    ],
)
def test_a_booking_that_makes_no_sense_is_refused(
    console: Client, world: SimpleNamespace, action: str, typed: dict[str, str], error: str
) -> None:
    before = LedgerEntry.objects.count()
    answer = book(console, world, action, **typed)
    assert error in answer.content.decode()
    assert LedgerEntry.objects.count() == before


def test_who_may_not_book_is_not_offered_it(world: SimpleNamespace) -> None:
    before = LedgerEntry.objects.count()
    client = clerk("view_account", "change_account")
    assert "Top up" not in client.get(account_page(world)).content.decode()
    assert book(client, world, "top_up", amount="1", note="n").status_code == 403
    assert LedgerEntry.objects.count() == before


def test_amounts_of_an_account_are_typed_and_shown_as_decimals(console: Client, world: SimpleNamespace) -> None:
    form = fields(console, account_page(world))
    assert form["low_balance_at"] == "10.00"
    save(console, account_page(world), form | {"credit_limit": "2.5", "low_balance_at": "", "billing_email": ""})
    world.account.refresh_from_db()
    assert (world.account.credit_limit, world.account.low_balance_at) == (2_500_000, None)
    page = console.get(account_page(world)).content.decode()
    # 10.00 topped up, 0.035 settled, 0.03 reserved for the message in doubt, 2.50 of credit.
    assert re.findall(r"[0-9.]+ USD", page) == ["9.965 USD", "0.03 USD", "12.435 USD"]


def test_an_amount_that_no_sum_could_hold_is_refused(console: Client, world: SimpleNamespace) -> None:
    largest = fields(console, account_page(world)) | {"credit_limit": "9223372036854.775807"}
    errors = console.post(account_page(world), largest).context["adminform"].form.errors
    assert errors["credit_limit"] == ["Ensure this value is less than or equal to 1000000000000."]


def test_amounts_are_decimals_to_those_who_may_only_look(world: SimpleNamespace) -> None:
    client = clerk("view_account", "view_price")
    page = client.get(account_page(world)).content.decode()
    assert "10.00" in page
    assert "10000000" not in page
    price = Price.objects.get(message_class="mms")
    page = client.get(reverse("admin:billing_price_change", args=[price.pk])).content.decode()
    assert "0.03" in page
    assert "30000" not in page


def test_the_currency_stays_once_something_is_booked(console: Client, world: SimpleNamespace) -> None:
    other = Account.objects.create(name="Other")
    page = reverse("admin:billing_account_change", args=[other.pk])
    save(console, page, fields(console, page) | {"currency": "EUR"})
    assert Account.objects.get(pk=other.pk).currency == "EUR"
    save(console, account_page(world), fields(console, account_page(world)) | {"currency": "EUR"})
    assert Account.objects.get(pk=world.account.pk).currency == "USD"


def test_a_new_account_has_a_page_for_its_money(console: Client, world: SimpleNamespace) -> None:
    address = reverse("admin:billing_account_add")
    save(console, address, fields(console, address) | {"name": "New", "spend_limit": "100"})
    assert Account.objects.get(name="New").spend_limit == 100_000_000


def test_a_price_is_typed_and_shown_as_a_decimal(console: Client, world: SimpleNamespace) -> None:
    address = reverse("admin:billing_price_add")
    typed = {"message_class": "mms", "country": "GB", "account": str(world.account.pk), "amount": "0.0455"}
    save(console, address, fields(console, address) | typed)
    assert Price.objects.get(country="GB").amount == 45_500
    prices = console.get(reverse("admin:billing_price_changelist")).content.decode()
    assert all(text in prices for text in ("0.0455 USD", "0.03 USD", "All accounts", "All operators"))


def test_prices_of_what_is_to_come_can_be_entered_and_count_for_nothing_yet(
    console: Client, world: SimpleNamespace
) -> None:
    address = reverse("admin:billing_price_add")
    for message_class in ("sms", "mo"):
        save(console, address, fields(console, address) | {"message_class": message_class, "amount": "0.01"})
    assert Price.objects.filter(message_class__in=["sms", "mo"], amount=10_000).count() == 2
    assert quote(Freshness.CURRENT, world.account, "US", 31002) == Quote(mms=30_000, ddm=5_000)


def test_a_second_price_for_the_same_is_refused(console: Client, world: SimpleNamespace) -> None:
    address = reverse("admin:billing_price_add")
    answer = console.post(address, fields(console, address) | {"message_class": "ddm", "amount": "1"})
    assert "There is already a price with this class, account, country and operator." in answer.content.decode()


def test_the_page_of_a_message_shows_its_price_and_its_lines(console: Client, world: SimpleNamespace) -> None:
    answer = console.get(reverse("admin:mms_message_change", args=[world.delivered.pk]))
    booked = answer.context["tables"][-1]
    assert [tuple(row.cols[2:]) for row in booked.rows] == [("0.00 USD", "0.035 USD"), ("-0.035 USD", "-0.035 USD")]
    assert all(text in answer.content.decode() for text in ("0.03 USD", "0.005 USD", "Reserved at accept"))


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ({}, {"top-up", "reserve", "settle"}),
        ({"booked": "by-hand"}, {"top-up"}),
        ({"account__id__exact": "ACCOUNT"}, {"top-up", "reserve", "settle"}),
        ({"account__id__exact": "0"}, set()),
    ],
)
def test_the_ledger_is_listed_newest_first_and_never_counted(
    console: Client, world: SimpleNamespace, query: dict[str, str], kinds: set[str]
) -> None:
    query = {name: value.replace("ACCOUNT", str(world.account.pk)) for name, value in query.items()}
    with CaptureQueriesContext(connection) as queries:
        rows = list(console.get(LEDGER, query).context["cl"].result_list)
    assert {row.kind for row in rows} == kinds
    assert [row.pk for row in rows] == sorted((row.pk for row in rows), reverse=True)
    assert not [query["sql"] for query in queries if "COUNT(" in query["sql"] and "ledgerentry" in query["sql"]]


def test_the_page_of_an_account_leads_to_its_statement(console: Client, world: SimpleNamespace) -> None:
    month = datetime.now(UTC).date().replace(day=1)
    address = reverse("statement", args=[world.account.pk, f"{month:%Y-%m}"])
    assert address in console.get(account_page(world)).content.decode()
    answer = console.get(address)
    assert answer.content.decode() == statements.to_csv(statements.statement_for(world.account, month))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert f'filename="statement-{world.account.pk}-{month:%Y-%m}.csv"' in answer["Content-Disposition"]


@pytest.mark.parametrize("month", ["2026-13", "november", "2026", "9999-12"])
def test_a_month_that_is_none_is_not_found(console: Client, world: SimpleNamespace, month: str) -> None:
    assert console.get(reverse("statement", args=[world.account.pk, month])).status_code == 404


def test_the_statement_of_nobody_is_not_found(console: Client, world: SimpleNamespace) -> None:
    assert console.get(reverse("statement", args=[0, "2026-11"])).status_code == 404


def test_a_statement_is_for_those_who_may_read_the_ledger(client: Client, world: SimpleNamespace) -> None:
    address = reverse("statement", args=[world.account.pk, "2026-11"])
    assert client.get(address).status_code == 302
    assert clerk("view_account").get(address).status_code == 403
