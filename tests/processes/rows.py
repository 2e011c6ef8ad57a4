"""A second customer beside the one of the fixtures, and rows that another transaction holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import psycopg
from django.db import connection

from billing import keys, ledger
from billing.models import Account, Price, SenderAddress, Service
from mms.models import Slide, Template

KEY = "OtherCustomerOtherCustomerOther1"
PRICE = 30_000


def create_other_customer(records: SimpleNamespace) -> SimpleNamespace:
    """Set a price, give both accounts money, and return the other account with its template."""
    other = Account.objects.create(name="Other", postback_url=records.account.postback_url)
    keys.issue(other, KEY)
    SenderAddress.objects.create(account=other, address="28444", country="US", default=True)
    service = Service.objects.create(account=other, code="12345")
    template = Template.objects.create(account=other, name="Autumn", subject="Autumn is here")
    Slide.objects.create(template=template, position=1, duration=5, text="Hello")
    Price.objects.create(message_class="mms", amount=PRICE)
    for account in (records.account, other):
        ledger.top_up(account, 1000 * PRICE, "", datetime.now(UTC))
    return SimpleNamespace(account=other, template=template, service=service, carrier=records.carrier)


@contextmanager
def held(statement: str, *values: object) -> Iterator[None]:
    """Hold the rows that the statement locks, as a forgotten session of an operator would."""
    parameters: dict[str, Any] = {**connection.get_connection_params(), "options": "", "autocommit": False}
    with psycopg.connect(**parameters) as session:
        assert session.execute(statement, values).rowcount == 1
        yield
        session.rollback()


def held_balance(account: Account) -> Any:
    """Hold the balance of the account."""
    return held("SELECT FROM billing_balance WHERE account_id = %s FOR UPDATE", account.pk)
