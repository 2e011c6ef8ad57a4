"""API keys: issue, find and authorize them. Only a keyed hash of each key is stored.

A fast hash is enough, because a key has 190 random bits and cannot be guessed. Every call computes it, once for each
secret: a key that was hashed under a fallback is found, and hashed again under the current secret at its next use.
"""

import hashlib
import json
import secrets
import string
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from django.conf import settings
from django.db import transaction

from base import sql
from base.stale_cache import Freshness, stale_cached
from billing.models import Account, ApiKey

ALPHABET = string.ascii_letters + string.digits
LENGTH = 32
PREFIX = 6
# The precision of a key's last use. Recording each call would cost a write per call.
LAST_USE_PRECISION = timedelta(minutes=1)

# The columns come in the order of `access_rules_of`.
ACCESS_RULES = """
SELECT k.id, k.allowed_actions, a.status, a.api_access, a.fallback_text_required, a.service_required,
    a.skycore_text_xml, a.allowed_networks, a.minimum_interval, a.throughput
FROM billing_apikey k JOIN billing_account a ON a.id = k.account_id
WHERE k.id = ANY(%s) AND k.revoked_at IS NULL
"""
# A locked row is skipped: another transaction is recording its use, and waiting for it could deadlock.
RECORD_USE = """
UPDATE billing_apikey SET last_used_at = %s WHERE id IN (
    SELECT id FROM billing_apikey WHERE id = ANY(%s) AND (last_used_at IS NULL OR last_used_at <= %s)
    FOR NO KEY UPDATE SKIP LOCKED
)
"""
# As above. A key may have a second row under the current secret, which a deployment issued anew; then both stay.
REHASH = """
UPDATE billing_apikey SET digest = given.new FROM unnest(%s::text[], %s::text[]) AS given(old, new)
WHERE billing_apikey.id IN (SELECT id FROM billing_apikey WHERE digest = ANY(%s) FOR UPDATE SKIP LOCKED)
    AND billing_apikey.digest = given.old
    AND NOT EXISTS (SELECT FROM billing_apikey other WHERE other.digest = given.new)
"""


def digest(key: str) -> str:
    """Return the hash that is stored for a key: BLAKE2b keyed with API_KEY_SECRET, in hexadecimal."""
    return _digest(key, settings.API_KEY_SECRET)


def _digest(key: str, secret: str) -> str:
    return hashlib.blake2b(key.encode(), key=_hash_key(secret), digest_size=32).hexdigest()


@cache
def _hash_key(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def issue(account: Account, key: str | None = None, label: str = "", actions: Sequence[str] = ()) -> str:
    """Create an API key for the account and return it. It cannot be read again later.

    `actions` limits the key to these actions; an empty list allows all of them.
    """
    key = key or "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    ApiKey.objects.create(
        account=account, prefix=key[:PREFIX], digest=digest(key), label=label, allowed_actions=list(actions)
    )
    return key


def find(key: str, freshness: Freshness) -> ApiKey | None:
    """Return the row of the key with its account, or None if the key is unknown or revoked."""
    secrets = (settings.API_KEY_SECRET, *settings.API_KEY_SECRET_FALLBACKS)
    return _of_digests(freshness, *(_digest(key, secret) for secret in secrets))


@stale_cached
def _of_digests(current: str, *fallbacks: str) -> ApiKey | None:
    valid = ApiKey.objects.select_related("account").filter(digest__in=[current, *fallbacks], revoked_at=None)
    rows = {row.digest: row for row in valid}
    found = next((rows[digest] for digest in (current, *fallbacks) if digest in rows), None)
    if found is not None:
        found.current_digest = current
    return found


def access_rules(keys: Collection[int]) -> Callable[[], dict[int, list[Any]]]:
    """Start a query for the access rules of API keys by primary key; call the result to read them.

    Revoked keys are left out.
    """
    if not keys:
        return dict
    rows = sql.execute(ACCESS_RULES, [list(keys)])
    return lambda: {key: [*rules, json.loads(throughput)] for key, *rules, throughput in rows()}


def access_rules_of(key: ApiKey) -> list[Any]:
    """Return the access rules of a key that is in memory, to compare them with those of `access_rules`."""
    account = key.account
    return [
        key.allowed_actions,
        account.status,
        account.api_access,
        account.fallback_text_required,
        account.service_required,
        account.skycore_text_xml,
        account.allowed_networks,
        account.minimum_interval,
        account.throughput,
    ]


def record_use(keys: Iterable[ApiKey], now: datetime) -> None:
    """Record that the keys are in use, at most once a minute for each. The objects change after the commit.

    A key that is hashed under a fallback is hashed under the current secret.
    """
    stale, used = now - LAST_USE_PRECISION, list(keys)
    outdated = [key for key in used if key.last_used_at is None or key.last_used_at <= stale]
    if outdated:
        sql.execute(RECORD_USE, [now, list({key.pk for key in outdated}), stale])
        transaction.on_commit(partial(_set_last_used, outdated, now))
    under_fallback = [key for key in used if key.current_digest not in ("", key.digest)]
    if under_fallback:
        changes = {key.digest: key.current_digest for key in under_fallback}
        sql.execute(REHASH, [list(changes), list(changes.values()), list(changes)])
        transaction.on_commit(partial(_set_rehashed, under_fallback))


def _set_last_used(keys: Iterable[ApiKey], at: datetime) -> None:
    for key in keys:
        key.last_used_at = at


def _set_rehashed(keys: Iterable[ApiKey]) -> None:
    for key in keys:
        key.digest = key.current_digest
