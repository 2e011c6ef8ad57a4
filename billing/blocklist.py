"""Block lists: the numbers that nothing is sent to, by one account or by anybody."""

from collections.abc import Callable, Collection

from django.db.models import Q

from base import sql
from billing.models import Account, BlockedNumber

ENTRIES = "SELECT account_id, number FROM billing_blockednumber WHERE number = ANY(%s)"


def find_entry(account: Account, number: str) -> BlockedNumber | None:
    """Why the account may not send to the number: its own entry or the platform's, or None where it may."""
    return BlockedNumber.objects.filter(Q(account=account) | Q(account=None), number=number).first()


def blocked_pairs(wanted: Collection[tuple[int, str]]) -> Callable[[], set[tuple[int, str]]]:
    """Those of the pairs of account and number that the account may not send to."""
    if not wanted:
        return set
    found = sql.execute(ENTRIES, [[number for _, number in wanted]])

    def pairs() -> set[tuple[int, str]]:
        entries = set(found())
        return {(account, number) for account, number in wanted if {(account, number), (None, number)} & entries}

    return pairs
