"""Selection of the price that applies to a message."""

from itertools import product

import pytest

from base.stale_cache import Freshness
from billing.models import Account, Price
from billing.prices import Quote, quote


@pytest.fixture
def account(db: None) -> Account:
    return Account.objects.create(name="Customer")


def test_most_specific_price_applies(account: Account) -> None:
    ranks = product([None, account], [None, 31002], ["", "US"])
    for rank, (owner, operator, country) in enumerate(ranks):
        Price.objects.create(
            message_class="mms", account=owner, operator_id=operator, country=country, amount=100 - rank
        )
    for rank in reversed(range(8)):
        assert quote(Freshness.CURRENT, account, "US", 31002) == Quote(mms=100 - rank)
        Price.objects.get(amount=100 - rank).delete()
    assert quote(Freshness.CURRENT, account, "US", 31002) == Quote()


def test_price_of_zero_overrides_a_general_price(account: Account) -> None:
    Price.objects.create(message_class="mms", amount=50)
    Price.objects.create(message_class="mms", account=account, amount=0)
    assert quote(Freshness.CURRENT, account, "US", 31002) == Quote()


def test_other_prices_do_not_apply(account: Account) -> None:
    Price.objects.create(message_class="mms", account=Account.objects.create(name="Another"), amount=1)
    Price.objects.create(message_class="mms", country="GB", amount=2)
    Price.objects.create(message_class="mms", operator_id=31003, amount=3)
    Price.objects.create(message_class="sms", amount=4)
    assert quote(Freshness.CURRENT, account, "US", 31002) == Quote()
