"""What an operator types into a search box, turned into conditions that have an index."""

import re

from django.db.models import Q

from billing.models import Account
from mms.models.tracking_ids import parse_tracking_id

# So many accounts of one name at most: their messages are merged from the index by account.
ACCOUNTS = 100
NUMBER = re.compile(r"[0-9]{1,15}")


def messages(term: str, *, whole: bool) -> Q:
    """Messages by tracking id, or else as `by_number` finds them."""
    key = parse_tracking_id(term.strip())
    return Q(pk=key) if key is not None else by_number(term, whole=whole)


def by_number(term: str, *, whole: bool) -> Q:
    """Rows by number, however it is written, or else by account.

    The digits that a number begins with will do, unless it has to be whole: for those who may not see numbers, or
    they could find one out digit by digit.
    """
    digits = re.sub(r"[\s+().-]", "", term)
    if not NUMBER.fullmatch(digits):
        return of_account(term)
    return Q(number=digits) if whole else Q(number__startswith=digits)


def of_account(term: str) -> Q:
    """Rows of the accounts that have this in their name."""
    named = Account.objects.filter(name__icontains=term.strip())
    # As values, not as a subquery: for a name that nobody has, PostgreSQL would read the whole table.
    return Q(account__in=list(named.values_list("pk", flat=True)[:ACCOUNTS]))
