"""Block lists: the numbers that nothing is sent to, by one account or by anybody."""

from django.db.models import Q

from billing.models import Account, BlockedNumber


def entry(account: Account, number: str) -> BlockedNumber | None:
    """Why the account may not send to the number: its own entry or the platform's, or None where it may."""
    return BlockedNumber.objects.filter(Q(account=account) | Q(account=None), number=number).first()
