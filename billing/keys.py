"""API keys: made, stored as a keyed hash, looked up.

The hash is fast on purpose: a key is 190 random bits, so there is nothing to guess, and it is checked on every call.
"""

import hashlib
import secrets
import string

from django.conf import settings

from billing.models import Account, ApiKey

ALPHABET = string.ascii_letters + string.digits
LENGTH = 32
PREFIX = 6


def digest(key: str) -> str:
    """The hash under which a key is stored: BLAKE2b keyed with the platform's secret, as hex."""
    secret = hashlib.sha256(settings.SECRET_KEY.encode()).digest()
    return hashlib.blake2b(key.encode(), key=secret, digest_size=32).hexdigest()


def issue(account: Account, key: str | None = None, label: str = "") -> str:
    """Stores a new key of the account and returns it: the only moment at which it can be read."""
    key = key or "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    ApiKey.objects.create(account=account, prefix=key[:PREFIX], digest=digest(key), label=label)
    return key


def account_of(key: str) -> Account | None:
    """The account that the key belongs to, or None where no such key is valid."""
    found = ApiKey.objects.select_related("account").filter(digest=digest(key), revoked_at=None).first()
    return found.account if found else None
