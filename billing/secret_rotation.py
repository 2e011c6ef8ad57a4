"""Rotation of the secrets that sign an account's postbacks.

During a rotation, postbacks are signed with the new and the previous secret, so that every signature check succeeds
until the customer has switched to the new one.
"""

from django.db.models import F

from billing.models import Account, new_secret


def rotate(account: Account) -> bool:
    """Create a new secret for the account and keep the current one as the previous. Return whether it did.

    It does nothing while a previous secret is still valid: a customer who checks with that one would be locked out.
    """
    idle = Account.objects.filter(pk=account.pk, previous_secret="")
    return bool(idle.update(previous_secret=F("signing_secret"), signing_secret=new_secret()))


def drop_previous(account: Account) -> bool:
    """Invalidate the previous secret. Return whether there was one."""
    return bool(Account.objects.filter(pk=account.pk).exclude(previous_secret="").update(previous_secret=""))
