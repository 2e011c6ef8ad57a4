"""What an operator types into a search box, turned into conditions that have an index."""

import re

from django.db.models import Q

from billing.models import Account
from mms.models.messages import key_of

# So many accounts of one name at most: their messages are merged from the index by account.
ACCOUNTS = 100
NUMBER = re.compile(r"[0-9]{1,15}")


def messages(term: str) -> Q:
    """Messages by tracking id, by number or the digits that it begins with, or else by account."""
    key = key_of(term.strip())
    return Q(pk=key) if key is not None else numbers(term) or of_account(term)


def numbers(term: str) -> Q:
    """Rows by number or the digits that it begins with, however it is written; no condition for anything else."""
    digits = re.sub(r"[\s+().-]", "", term)
    return Q(number__startswith=digits) if NUMBER.fullmatch(digits) else Q()


def by_number(term: str) -> Q:
    """Rows by number, or else by account."""
    return numbers(term) or of_account(term)


def of_account(term: str) -> Q:
    """Rows of the accounts that have this in their name."""
    named = Account.objects.filter(name__icontains=term.strip())
    # As values, not as a subquery: for a name that nobody has, PostgreSQL would read the whole table.
    return Q(account__in=list(named.values_list("pk", flat=True)[:ACCOUNTS]))
