"""API keys: made, stored as a keyed hash, looked up.

The hash is fast on purpose: a key is 190 random bits, so there is nothing to guess, and it is checked on every call.
"""

import hashlib
import secrets
import string
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from billing.models import Account, ApiKey

ALPHABET = string.ascii_letters + string.digits
LENGTH = 32
PREFIX = 6
# How exactly the last use of a key is kept: not for the price of a write a call.
USE_NOTED = timedelta(minutes=1)


def digest(key: str) -> str:
    """The hash under which a key is stored: BLAKE2b keyed with the platform's secret, as hex."""
    secret = hashlib.sha256(settings.SECRET_KEY.encode()).digest()
    return hashlib.blake2b(key.encode(), key=secret, digest_size=32).hexdigest()


def issue(account: Account, key: str | None = None, label: str = "", actions: Sequence[str] = ()) -> str:
    """Stores a new key of the account and returns it: the only moment at which it can be read.

    `actions` are what it may be used for; none: everything.
    """
    key = key or "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    ApiKey.objects.create(
        account=account, prefix=key[:PREFIX], digest=digest(key), label=label, allowed_actions=list(actions)
    )
    return key


def find(key: str) -> ApiKey | None:
    """The key's row with its account, or None where no such key is valid."""
    return ApiKey.objects.select_related("account").filter(digest=digest(key), revoked_at=None).first()


def account_of(key: str) -> Account | None:
    """The account that the key belongs to, or None where no such key is valid."""
    found = find(key)
    return found.account if found else None


def used(key: ApiKey, now: datetime) -> None:
    """Notes that the key is in use, once a minute however often it is."""
    stale = now - USE_NOTED
    if key.last_used_at is None or key.last_used_at <= stale:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lte=stale)
        ApiKey.objects.filter(unnoted, pk=key.pk).update(last_used_at=now)
