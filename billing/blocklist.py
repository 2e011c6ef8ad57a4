"""Blocked numbers: recipients that one account, or every account, must not send to."""

from collections.abc import Callable, Collection

from django.db.models import Q

from base import sql
from billing.models import Account, BlockedNumber

ENTRIES = "SELECT account_id, number FROM billing_blockednumber WHERE number = ANY(%s)"


def find_entry(account: Account, number: str) -> BlockedNumber | None:
    """Return the entry that blocks the number for the account, the account's own or the platform's, or None."""
    return BlockedNumber.objects.filter(Q(account=account) | Q(account=None), number=number).first()


def blocked_pairs(pairs: Collection[tuple[int, str]]) -> Callable[[], set[tuple[int, str]]]:
    """Start a query for the blocked ones among the (account, number) pairs; call the result to read them."""
    if not pairs:
        return set
    rows = sql.execute(ENTRIES, [[number for _, number in pairs]])

    def blocked() -> set[tuple[int, str]]:
        entries = set(rows())
        return {(account, number) for account, number in pairs if {(account, number), (None, number)} & entries}

    return blocked
