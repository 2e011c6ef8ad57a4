"""The secrets that sign an account's postbacks: a new one comes beside the old, and the old one goes later.

Both sign while both are there, so that the customer changes over when it suits him and no postback fails his check.
"""

from django.db.models import F

from billing.models import Account, new_secret


def rotate(account: Account) -> bool:
    """Gives the account a new secret and keeps the one before. Returns whether it did.

    It does not while an older secret is still valid: whoever checks with that one would be locked out.
    """
    settled = Account.objects.filter(pk=account.pk, previous_secret="")
    return bool(settled.update(previous_secret=F("signing_secret"), signing_secret=new_secret()))


def drop_previous(account: Account) -> bool:
    """Ends the validity of the older secret. Returns whether there was one."""
    return bool(Account.objects.filter(pk=account.pk).exclude(previous_secret="").update(previous_secret=""))
