"""The handset cache: which handset a number was last seen with.

Delivery reports and the handset hints of customers update it; discovery and adaptation read it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from base import sql
from handsets.models import CachedHandset, Handset

IDENTITY_MAX = 500
# Values that carriers report for an unknown handset.
UNKNOWN_IDENTITIES = {"", "default", "unknown", "none", "null"}

# A later sighting replaces an earlier one, never the other way round.
UPSERT = """
INSERT INTO handsets_cachedhandset AS cached (number, handset_id, source, first_seen, last_seen)
SELECT number, handset, source, seen, seen
FROM unnest(%(numbers)s::text[], %(handsets)s::bigint[], %(sources)s::text[], %(seen)s::timestamptz[])
    AS sighting(number, handset, source, seen)
ORDER BY number
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

FRESH_ENTRIES = "WHERE number = ANY(%s) AND last_seen > %s"


@dataclass(frozen=True, slots=True)
class Sighting:
    """An observation that a number uses the handset with this identity."""

    number: str
    identity: str
    source: CachedHandset.Source
    seen: datetime


def find_handsets(numbers: Collection[str], now: datetime) -> dict[str, Handset]:
    """Return the handsets of the numbers that have a fresh entry, at most HANDSET_CACHE_DAYS old."""
    entries = sql.fetch_objects(CachedHandset, FRESH_ENTRIES, [list(numbers), _fresh_since(now)])
    sql.load_related(entries, "handset")
    sql.load_related([entry.handset for entry in entries], "profile")
    sql.load_related([entry.handset.profile for entry in entries if entry.handset.profile], "parent")
    return {entry.number: entry.handset for entry in entries}


def find_known_numbers(numbers: Collection[str], now: datetime) -> set[str]:
    """Return the numbers that have a fresh entry."""
    return set(_fresh_entries(now).filter(number__in=numbers).values_list("number", flat=True)) if numbers else set()


def find_entry(number: str, now: datetime) -> CachedHandset | None:
    """Return the number's entry with its handset, or None if there is no fresh one."""
    return _fresh_entries(now).filter(number=number).select_related("handset__profile").first()


def _fresh_entries(now: datetime) -> QuerySet[CachedHandset]:
    return CachedHandset.objects.filter(last_seen__gt=_fresh_since(now))


def _fresh_since(now: datetime) -> datetime:
    return now - timedelta(days=settings.HANDSET_CACHE_DAYS)


def parse_identity(reported: str | None) -> str | None:
    """Return the identity in a carrier's report, or None if it does not name the handset."""
    identity = (reported or "").strip()[:IDENTITY_MAX]
    return None if identity.lower() in UNKNOWN_IDENTITIES else identity


def record_sightings(sightings: Sequence[Sighting]) -> None:
    """Record the sightings. For each number the latest one counts."""
    latest = {sighting.number: sighting for sighting in sorted(sightings, key=lambda sighting: sighting.seen)}
    _upsert(UPSERT, list(latest.values()), {})


def _upsert(statement: str, sightings: Sequence[Sighting], extra: Mapping[str, Any]) -> None:
    if not sightings:
        return
    handsets = _get_or_create_handsets({sighting.identity for sighting in sightings})
    values: dict[str, Any] = {
        "numbers": [sighting.number for sighting in sightings],
        "handsets": [handsets[sighting.identity] for sighting in sightings],
        "sources": [sighting.source for sighting in sightings],
        "seen": [sighting.seen for sighting in sightings],
    }
    sql.fetch_rows(statement, {**values, **extra})


def _get_or_create_handsets(identities: Collection[str]) -> dict[str, int]:
    """Return the primary keys of the handsets by identity, after adding those that are missing."""
    found = _handset_keys(identities)
    if missing := sorted(set(identities) - found.keys()):
        Handset.objects.bulk_create([Handset(identity=identity) for identity in missing], ignore_conflicts=True)
        found = _handset_keys(identities)
    return found


def _handset_keys(identities: Collection[str]) -> dict[str, int]:
    return dict(
        sql.fetch_rows("SELECT identity, id FROM handsets_handset WHERE identity = ANY(%s)", [list(identities)])
    )


# A customer's hint replaces an older hint or a stale entry, never a fresh report of a carrier.
HINT = UPSERT.replace(
    "WHERE cached.last_seen <= excluded.last_seen",
    "WHERE cached.source = 'caller' OR cached.last_seen <= %(fresh_since)s",
)


@dataclass(frozen=True, slots=True)
class Hint:
    """A customer's statement of which handset a number uses."""

    number: str
    identity: str


def record_hints(hints: Sequence[Hint], now: datetime) -> None:
    """Record the hints whose identity has a profile, for each number the last one.

    Other identities are only added as handsets, so that an operator can assign a profile.
    """
    if not hints:
        return
    handsets = _get_or_create_handsets({hint.identity[:IDENTITY_MAX] for hint in hints})
    with_profile = Handset.objects.filter(pk__in=handsets.values(), profile__isnull=False)
    identities = set(with_profile.values_list("identity", flat=True))
    latest = {h.number: h.identity[:IDENTITY_MAX] for h in hints if h.identity[:IDENTITY_MAX] in identities}
    sightings = [Sighting(number, identity, CachedHandset.Source.CUSTOMER, now) for number, identity in latest.items()]
    _upsert(HINT, sightings, {"fresh_since": _fresh_since(now)})
