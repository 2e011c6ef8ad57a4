"""Accept one send request alone, so that a row that another transaction holds delays its own account only.

A wait for such a row, mostly the account's balance, occupies a request slot and a database connection. So a request
waits briefly at first; longer waits are few for each account, and further requests fail at once.
"""

from typing import Final

from django.db import OperationalError
from django.utils import timezone

from base import sql
from base.request_slots import ConcurrencyLimit
from billing.models import Account
from mms.messages.accept import Outcome, accept
from mms.messages.request import SendRequest

# Seconds: longer than any transaction of the platform holds a balance, unless the disk is slow.
BRIEF_WAIT: Final = 0.2
# Longer waits of one account at the same time, in each process; they end at the connection's time limit.
WAITS_MAX: Final = 2

_waits = ConcurrencyLimit(WAITS_MAX)


def is_waiting(account: Account) -> bool:
    """Return whether a request of the account waits for a row: a batch must not wait for it as well."""
    return _waits.counts[account.pk] > 0


def accept_alone(request: SendRequest) -> Outcome:
    """Accept the request and return the outcome. Raises DatabaseError, also if the row is held for too long."""
    if not is_waiting(request.account):
        try:
            return _accept(request, BRIEF_WAIT)
        except OperationalError as problem:
            if not sql.has_timed_out(problem):
                raise
    with _waits.enter(request.account.pk) as admitted:
        if not admitted:
            raise OperationalError(f"requests wait for a row of account {request.account.pk} that is locked")
        return _accept(request)


def _accept(request: SendRequest, lock_wait: float | None = None) -> Outcome:
    (outcome,) = accept([request], timezone.now(), lock_wait)
    return outcome
