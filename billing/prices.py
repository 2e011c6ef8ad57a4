"""Prices of a message, fixed when it is accepted."""

from dataclasses import dataclass

from django.db.models import Q

from base.stale_cache import stale_cached
from billing.models import Account, Price


@dataclass(frozen=True, slots=True)
class Quote:
    """The prices of one message, in micro-units."""

    mms: int = 0
    ddm: int = 0

    def maximum(self, *, ddm: bool) -> int:
        """Return the highest price of the message, with or without a DDM."""
        return self.mms + (self.ddm if ddm else 0)


@stale_cached
def quote(account: Account, country: str, operator_id: int) -> Quote:
    """Return the account's prices for the country and the carrier. A class without a price is free."""
    applicable = Price.objects.filter(
        Q(account=account) | Q(account=None),
        Q(operator_id=operator_id) | Q(operator_id=None),
        country__in=["", country],
    )
    chosen: dict[str, Price] = {}
    for price in sorted(applicable, key=_specificity):
        chosen[price.message_class] = price
    amounts = {name: price.amount for name, price in chosen.items()}
    return Quote(amounts.get("mms", 0), amounts.get("ddm", 0))


def _specificity(price: Price) -> tuple[bool, bool, bool]:
    return price.account_id is not None, price.operator_id is not None, bool(price.country)
