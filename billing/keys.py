"""API keys: made, stored as a keyed hash, looked up.

The hash is fast on purpose: a key is 190 random bits, so there is nothing to guess, and it is checked on every call.
"""

import hashlib
import json
import secrets
import string
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction

from base import sql
from base.stale_cache import Freshness, stale_cached
from billing.models import Account, ApiKey

ALPHABET = string.ascii_letters + string.digits
LENGTH = 32
PREFIX = 6
# How exactly the last use of a key is kept: not for the price of a write a call.
USE_NOTED = timedelta(minutes=1)

# What lets a call through, in the order of `terms_of`.
TERMS = """
SELECT k.id, k.allowed_actions, a.status, a.api_access, a.fallback_text_required, a.service_required,
    a.allowed_networks, a.minimum_interval, a.throughput
FROM billing_apikey k JOIN billing_account a ON a.id = k.account_id
WHERE k.id = ANY(%s) AND k.revoked_at IS NULL
"""
# Who holds the row notes it at this moment, and may be waiting for another that is noted here.
NOTE_USE = """
UPDATE billing_apikey SET last_used_at = %s WHERE id IN (
    SELECT id FROM billing_apikey WHERE id = ANY(%s) AND (last_used_at IS NULL OR last_used_at <= %s)
    FOR NO KEY UPDATE SKIP LOCKED
)
"""


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


def find(key: str, freshness: Freshness) -> ApiKey | None:
    """Return the key's row with its account, or None where no such key is valid."""
    return _of_digest(freshness, digest(key))


@stale_cached
def _of_digest(digest: str) -> ApiKey | None:
    return ApiKey.objects.select_related("account").filter(digest=digest, revoked_at=None).first()


def access_rules(keys: Collection[int]) -> Callable[[], dict[int, list[Any]]]:
    """By their primary keys, on what terms these keys let calls through now; without those that do not."""
    if not keys:
        return dict
    found = sql.execute(TERMS, [list(keys)])
    return lambda: {key: [*terms, json.loads(throughput)] for key, *terms, throughput in found()}


def access_rules_of(key: ApiKey) -> list[Any]:
    """The same of one key, as they were when it was read."""
    of = key.account
    duties = [of.status, of.api_access, of.fallback_text_required, of.service_required]
    return [key.allowed_actions, *duties, of.allowed_networks, of.minimum_interval, of.throughput]


def record_use(keys: Iterable[ApiKey], now: datetime) -> None:
    """Notes that the keys are in use, once a minute however often they are; they are told when it is certain."""
    stale = now - USE_NOTED
    unnoted = [key for key in keys if key.last_used_at is None or key.last_used_at <= stale]
    if unnoted:
        sql.execute(NOTE_USE, [now, list({key.pk for key in unnoted}), stale])
        transaction.on_commit(partial(_noted, unnoted, now))


def _noted(keys: Iterable[ApiKey], at: datetime) -> None:
    for key in keys:
        key.last_used_at = at
