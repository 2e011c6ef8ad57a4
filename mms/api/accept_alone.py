"""Accept one send request alone, so that a row that another transaction holds delays its own account only.

A wait for such a row, mostly the account's balance, occupies a request slot and a database connection. So a request
waits briefly at first; longer waits are few for each account, and further requests fail at once. While a request waits
longer it holds no row: neither its idempotency key nor media, for which other requests would wait in turn.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from django.db import OperationalError, transaction

from base import sql
from base.request_slots import ConcurrencyLimit
from billing import ledger
from billing.models import Account

Result = TypeVar("Result")

# Seconds: longer than any transaction of the platform holds a balance, unless the disk is slow.
BRIEF_WAIT: Final = 0.2
# Longer waits of one account at the same time, in each process; they end at the connection's time limit.
WAITS_MAX: Final = 2

_waits = ConcurrencyLimit(WAITS_MAX)


def is_waiting(account: Account) -> bool:
    """Return whether a request of the account waits for a row: a batch must not wait for it as well."""
    return _waits.counts[account.pk] > 0


def accept_alone(account: Account, accept: Callable[[], Result]) -> Result:
    """Return the result of `accept`, which is called in a transaction, and called again if a row was held.

    Raises what `accept` raises, and DatabaseError if a row is held for too long; then nothing is stored.
    """
    if not is_waiting(account):
        try:
            return _accept(account, accept)
        except OperationalError as problem:
            if not sql.has_timed_out(problem):
                raise
    with _waits.enter(account.pk) as admitted:
        if not admitted:
            raise OperationalError(f"requests wait for a row of account {account.pk} that is locked")
        return _accept(account, accept, balance_first=True)


@sql.repeats_outdated
def _accept(account: Account, accept: Callable[[], Result], *, balance_first: bool = False) -> Result:
    """Call `accept` in a transaction that waits briefly for each row, except at first for the balance, if so asked.

    With the balance first, rows are not locked in the usual order; a brief wait ends before it becomes a deadlock.
    """
    with transaction.atomic():
        if balance_first:
            ledger.lock_balance(account.pk)
        sql.limit_lock_waits(BRIEF_WAIT)
        return accept()
