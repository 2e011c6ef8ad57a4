"""The handset cache: number -> the handset that it was last seen with."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from handsets.models import CachedHandset, Handset

IDENTITY_MAX = 500
# What carriers report when they have nothing to report.
NO_INFORMATION = {"", "default", "unknown", "none", "null"}

# A report overrules a caller's hint and a later sighting an earlier one, never the other way round.
UPSERT = """
INSERT INTO handsets_cachedhandset AS cached (number, handset_id, source, first_seen, last_seen)
VALUES (%(number)s, %(handset)s, %(source)s, %(seen)s, %(seen)s)
ON CONFLICT (number) DO UPDATE SET
    previous_handset_id = CASE WHEN cached.handset_id = excluded.handset_id
                               THEN cached.previous_handset_id ELSE cached.handset_id END,
    first_seen = CASE WHEN cached.handset_id = excluded.handset_id
                      THEN cached.first_seen ELSE excluded.first_seen END,
    handset_id = excluded.handset_id,
    source = excluded.source,
    last_seen = excluded.last_seen
WHERE cached.last_seen <= excluded.last_seen
"""


def known(numbers: Collection[str], now: datetime) -> dict[str, Handset]:
    """The handsets of those numbers whose entry is young enough to be believed (HANDSET_CACHE_DAYS)."""
    return {entry.number: entry.handset for entry in _believed(numbers, now)}


def entry(number: str, now: datetime) -> CachedHandset | None:
    """The number's entry, with its handset, if it is young enough to be believed."""
    return _believed([number], now).first()


def _believed(numbers: Collection[str], now: datetime) -> QuerySet[CachedHandset]:
    oldest = now - timedelta(days=settings.HANDSET_CACHE_DAYS)
    return CachedHandset.objects.select_related("handset__profile").filter(number__in=numbers, last_seen__gt=oldest)


def identity_of(reported: str | None) -> str | None:
    """The identity in what a carrier reported, or None where it says nothing about the handset."""
    identity = (reported or "").strip()[:IDENTITY_MAX]
    return None if identity.lower() in NO_INFORMATION else identity


def saw(number: str, identity: str, source: CachedHandset.Source, seen: datetime) -> Handset:
    """Records that the number was seen with the handset of this identity, which may be new to us."""
    handset, _ = Handset.objects.get_or_create(identity=identity)
    with connection.cursor() as cursor:
        cursor.execute(UPSERT, {"number": number, "handset": handset.pk, "source": source, "seen": seen})
    return handset


# A caller's hint never overrules what a carrier reported, unless that is too old to be believed.
HINT = UPSERT.replace(
    "WHERE cached.last_seen <= excluded.last_seen",
    "WHERE cached.source = 'caller' OR cached.last_seen <= %(oldest)s",
)


def hint(number: str, identity: str, now: datetime) -> None:
    """Takes a caller's word for the handset where its identity is recognised; else notes it as unmatched."""
    handset, _ = Handset.objects.get_or_create(identity=identity[:IDENTITY_MAX])
    if handset.profile_id is None:
        return
    oldest = now - timedelta(days=settings.HANDSET_CACHE_DAYS)
    source = CachedHandset.Source.CALLER
    values: dict[str, Any] = {
        "number": number,
        "handset": handset.pk,
        "source": source,
        "seen": now,
        "oldest": oldest,
    }
    with connection.cursor() as cursor:
        cursor.execute(HINT, values)
