"""Search terms of operators as query conditions that use an index."""

import re

from django.db.models import Q

from billing.models import Account
from mms.models import Message
from mms.models.tracking_ids import parse_tracking_id

# A name matches at most this many accounts, whose rows are merged from the index on the account.
MAX_ACCOUNTS = 100
NUMBER = re.compile(r"[0-9]{1,15}")


def of_messages(term: str, *, exact: bool) -> Q:
    """Return the condition for a tracking ID, or else for a whole client reference and that of `by_number`."""
    key = parse_tracking_id(term)
    if key is not None:
        return Q(pk=key)
    found, reference = by_number(term, exact=exact), Q(client_reference=term)
    # Asked first: in an OR, a condition that matches nothing could make PostgreSQL scan the whole table.
    return found | reference if Message.objects.filter(reference).exists() else found


def by_number(term: str, *, exact: bool) -> Q:
    """Return the condition for a number in any notation, or else that of `by_account`.

    The first digits of a number are enough, unless `exact` is set. It is set for operators who may not see numbers
    and could otherwise find one out digit by digit.
    """
    digits = digits_of(term)
    if not digits:
        return by_account(term)
    return Q(number=digits) if exact else Q(number__startswith=digits)


def digits_of(term: str) -> str:
    """Return the digits of a term that is a number in any notation, else an empty string."""
    digits = re.sub(r"[\s+().-]", "", term)
    return digits if NUMBER.fullmatch(digits) else ""


def by_account(term: str) -> Q:
    """Return the condition for the accounts with the term in their name."""
    accounts = Account.objects.filter(name__icontains=term)
    # Values instead of a subquery: if no account matches, PostgreSQL would scan the whole table.
    return Q(account__in=list(accounts.values_list("pk", flat=True)[:MAX_ACCOUNTS]))
