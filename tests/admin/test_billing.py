"""The admin of prices, bookings, the ledger and statements."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

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
from tests.admin.forms import account_page, form_values, save_form

LEDGER = reverse("admin:billing_ledgerentry_changelist")


def book(superuser: Client, sample: SimpleNamespace, action: str, **typed: str) -> Any:
    address = reverse(f"admin:billing_account_{action}", args=[sample.account.pk])
    return superuser.post(address, {"_form_submitted": "on", **typed})


def operator_with(*permissions: str) -> Client:
    """Return a client of an operator with only these permissions."""
    user = User.objects.create_user("carl", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def balance() -> int:
    assert ledger.reconcile() == []
    return Balance.objects.get().balance


def test_top_up_records_its_note_and_the_operator(superuser: Client, sample: SimpleNamespace) -> None:
    before = balance()
    response = book(superuser, sample, "top_up", amount="12.50", note="invoice 7")
    assert response["HX-Redirect"] == account_page(sample)
    entry = LedgerEntry.objects.latest("pk")
    assert (entry.kind, entry.balance_change, entry.note) == ("top-up", 12_500_000, "invoice 7")
    assert balance() == before + 12_500_000
    logged = LogEntry.objects.latest("pk")
    assert (logged.user.get_username(), logged.change_message) == ("olga", "Booked 12.50 USD: invoice 7")
    assert "Booked to Customer: 12.50 USD." in superuser.get(account_page(sample)).content.decode()


@pytest.mark.parametrize(("action", "kind"), [("top_up", "top-up"), ("adjust", "adjustment")])
def test_form_sent_twice_is_booked_once(superuser: Client, sample: SimpleNamespace, action: str, kind: str) -> None:
    before, logged = balance(), LogEntry.objects.count()
    page = superuser.get(reverse(f"admin:billing_account_{action}", args=[sample.account.pk])).content.decode()
    (form,) = re.findall(r'name="form" value="([0-9a-f-]{36})"', page)
    for _ in range(2):
        response = book(superuser, sample, action, amount="12.50", note="invoice 7", form=form)
        assert response["HX-Redirect"] == account_page(sample)
    assert LedgerEntry.objects.filter(kind=kind, note="invoice 7").count() == 1
    assert (balance(), LogEntry.objects.count()) == (before + 12_500_000, logged + 1)
    page = superuser.get(account_page(sample)).content.decode()
    assert "This form was sent before, and nothing was added: see the ledger." in page
    reopened = superuser.get(reverse(f"admin:billing_account_{action}", args=[sample.account.pk])).content.decode()
    assert form not in reopened
    book(superuser, sample, action, amount="12.50", note="invoice 7", form=str(uuid4()))
    assert balance() == before + 25_000_000


def test_failed_admin_log_rolls_back_the_booking(superuser: Client, sample: SimpleNamespace) -> None:
    before = balance()

    def fail(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if "django_admin_log" in sql:
            raise OperationalError("connection lost")
        return execute(sql, *rest)

    with pytest.raises(OperationalError), connection.execute_wrapper(fail):
        book(superuser, sample, "top_up", amount="12.50", note="invoice 7")
    assert balance() == before


def test_negative_adjustment_reduces_the_balance(superuser: Client, sample: SimpleNamespace) -> None:
    before = balance()
    book(superuser, sample, "adjust", amount="-0.005", note="booked twice")
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
def test_invalid_booking_is_refused(
    superuser: Client, sample: SimpleNamespace, action: str, typed: dict[str, str], error: str
) -> None:
    before = LedgerEntry.objects.count()
    response = book(superuser, sample, action, **typed)
    assert error in response.content.decode()
    assert LedgerEntry.objects.count() == before


def test_operator_without_permission_cannot_book(sample: SimpleNamespace) -> None:
    before = LedgerEntry.objects.count()
    client = operator_with("view_account", "change_account")
    assert "Top up" not in client.get(account_page(sample)).content.decode()
    assert book(client, sample, "top_up", amount="1", note="n").status_code == 403
    assert LedgerEntry.objects.count() == before


def test_amounts_of_an_account_are_decimals(superuser: Client, sample: SimpleNamespace) -> None:
    form = form_values(superuser, account_page(sample))
    assert form["low_balance_at"] == "10.00"
    save_form(
        superuser, account_page(sample), form | {"credit_limit": "2.5", "low_balance_at": "", "billing_email": ""}
    )
    sample.account.refresh_from_db()
    assert (sample.account.credit_limit, sample.account.low_balance_at) == (2_500_000, None)
    page = superuser.get(account_page(sample)).content.decode()
    # 10.00 topped up, 0.035 settled, 0.03 reserved for the message in doubt, 2.50 of credit.
    assert re.findall(r"[0-9.]+ USD", page) == ["9.965 USD", "0.03 USD", "12.435 USD"]


def test_amount_above_the_maximum_is_refused(superuser: Client, sample: SimpleNamespace) -> None:
    largest = form_values(superuser, account_page(sample)) | {"credit_limit": "9223372036854.775807"}
    errors = superuser.post(account_page(sample), largest).context["adminform"].form.errors
    assert errors["credit_limit"] == ["Ensure this value is less than or equal to 1000000000000."]


def test_read_only_amounts_are_decimals(sample: SimpleNamespace) -> None:
    client = operator_with("view_account", "view_price")
    page = client.get(account_page(sample)).content.decode()
    assert "10.00" in page
    assert "10000000" not in page
    price = Price.objects.get(message_class="mms")
    page = client.get(reverse("admin:billing_price_change", args=[price.pk])).content.decode()
    assert "0.03" in page
    assert "30000" not in page


def test_currency_is_fixed_after_the_first_booking(superuser: Client, sample: SimpleNamespace) -> None:
    other = Account.objects.create(name="Other")
    page = reverse("admin:billing_account_change", args=[other.pk])
    save_form(superuser, page, form_values(superuser, page) | {"currency": "EUR"})
    assert Account.objects.get(pk=other.pk).currency == "EUR"
    save_form(superuser, account_page(sample), form_values(superuser, account_page(sample)) | {"currency": "EUR"})
    assert Account.objects.get(pk=sample.account.pk).currency == "USD"


def test_new_account_accepts_a_spend_limit(superuser: Client, sample: SimpleNamespace) -> None:
    address = reverse("admin:billing_account_add")
    save_form(superuser, address, form_values(superuser, address) | {"name": "New", "spend_limit": "100"})
    assert Account.objects.get(name="New").spend_limit == 100_000_000


def test_price_is_entered_and_shown_as_a_decimal(superuser: Client, sample: SimpleNamespace) -> None:
    address = reverse("admin:billing_price_add")
    typed = {"message_class": "mms", "country": "GB", "account": str(sample.account.pk), "amount": "0.0455"}
    save_form(superuser, address, form_values(superuser, address) | typed)
    assert Price.objects.get(country="GB").amount == 45_500
    prices = superuser.get(reverse("admin:billing_price_changelist")).content.decode()
    assert all(text in prices for text in ("0.0455 USD", "0.03 USD", "All accounts", "All operators"))


def test_prices_of_sms_and_mo_are_stored_without_effect(superuser: Client, sample: SimpleNamespace) -> None:
    address = reverse("admin:billing_price_add")
    for message_class in ("sms", "mo"):
        save_form(
            superuser, address, form_values(superuser, address) | {"message_class": message_class, "amount": "0.01"}
        )
    assert Price.objects.filter(message_class__in=["sms", "mo"], amount=10_000).count() == 2
    assert quote(Freshness.CURRENT, sample.account, "US", 31002) == Quote(mms=30_000, ddm=5_000)


def test_duplicate_price_is_refused(superuser: Client, sample: SimpleNamespace) -> None:
    address = reverse("admin:billing_price_add")
    response = superuser.post(address, form_values(superuser, address) | {"message_class": "ddm", "amount": "1"})
    assert "There is already a price with this class, account, country and operator." in response.content.decode()


def test_message_page_shows_prices_and_ledger_entries(superuser: Client, sample: SimpleNamespace) -> None:
    response = superuser.get(reverse("admin:mms_message_change", args=[sample.delivered.pk]))
    booked = response.context["tables"][-1]
    assert [tuple(row.cols[2:]) for row in booked.rows] == [("0.00 USD", "0.035 USD"), ("-0.035 USD", "-0.035 USD")]
    assert all(text in response.content.decode() for text in ("0.03 USD", "0.005 USD", "Reserved"))


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ({}, {"top-up", "reserve", "settle"}),
        ({"booked": "by-hand"}, {"top-up"}),
        ({"account__id__exact": "ACCOUNT"}, {"top-up", "reserve", "settle"}),
        ({"account__id__exact": "0"}, set()),
    ],
)
def test_ledger_lists_newest_first_without_counting(
    superuser: Client, sample: SimpleNamespace, query: dict[str, str], kinds: set[str]
) -> None:
    query = {name: value.replace("ACCOUNT", str(sample.account.pk)) for name, value in query.items()}
    with CaptureQueriesContext(connection) as queries:
        rows = list(superuser.get(LEDGER, query).context["cl"].result_list)
    assert {row.kind for row in rows} == kinds
    assert [row.pk for row in rows] == sorted((row.pk for row in rows), reverse=True)
    assert not [query["sql"] for query in queries if "COUNT(" in query["sql"] and "ledgerentry" in query["sql"]]


def test_account_page_links_to_its_statement(superuser: Client, sample: SimpleNamespace) -> None:
    month = datetime.now(UTC).date().replace(day=1)
    address = reverse("statement", args=[sample.account.pk, f"{month:%Y-%m}"])
    assert address in superuser.get(account_page(sample)).content.decode()
    response = superuser.get(address)
    assert response.content.decode() == statements.to_csv(statements.statement_for(sample.account, month))
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert f'filename="statement-{sample.account.pk}-{month:%Y-%m}.csv"' in response["Content-Disposition"]


@pytest.mark.parametrize("month", ["2026-13", "november", "2026", "9999-12"])
def test_statement_of_an_invalid_month_gets_404(superuser: Client, sample: SimpleNamespace, month: str) -> None:
    assert superuser.get(reverse("statement", args=[sample.account.pk, month])).status_code == 404


def test_statement_of_an_unknown_account_gets_404(superuser: Client, sample: SimpleNamespace) -> None:
    assert superuser.get(reverse("statement", args=[0, "2026-11"])).status_code == 404


def test_statement_requires_permission_to_view_the_ledger(client: Client, sample: SimpleNamespace) -> None:
    address = reverse("statement", args=[sample.account.pk, "2026-11"])
    assert client.get(address).status_code == 302
    assert operator_with("view_account").get(address).status_code == 403
