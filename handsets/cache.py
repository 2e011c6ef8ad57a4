"""The handset cache: number -> the handset that it was last seen with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from base import sql
from handsets.models import CachedHandset, Handset

IDENTITY_MAX = 500
# What carriers report when they have nothing to report.
NO_INFORMATION = {"", "default", "unknown", "none", "null"}

# A report overrules a caller's hint and a later sighting an earlier one, never the other way round.
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

KNOWN = "WHERE number = ANY(%s) AND last_seen > %s"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A number that was seen with the handset of this identity."""

    number: str
    identity: str
    source: CachedHandset.Source
    seen: datetime


def find_handsets(numbers: Collection[str], now: datetime) -> dict[str, Handset]:
    """The handsets of those numbers whose entry is young enough to be believed (HANDSET_CACHE_DAYS)."""
    entries = sql.fetch_objects(CachedHandset, KNOWN, [list(numbers), _oldest(now)])
    sql.load_related(entries, "handset")
    sql.load_related([entry.handset for entry in entries], "profile")
    sql.load_related([entry.handset.profile for entry in entries if entry.handset.profile], "parent")
    return {entry.number: entry.handset for entry in entries}


def find_known_numbers(numbers: Collection[str], now: datetime) -> set[str]:
    """Those of the numbers that find_handsets() has a handset for."""
    return set(_believed(now).filter(number__in=numbers).values_list("number", flat=True)) if numbers else set()


def find_entry(number: str, now: datetime) -> CachedHandset | None:
    """The number's entry, with its handset, if it is young enough to be believed."""
    return _believed(now).filter(number=number).select_related("handset__profile").first()


def _believed(now: datetime) -> QuerySet[CachedHandset]:
    return CachedHandset.objects.filter(last_seen__gt=_oldest(now))


def _oldest(now: datetime) -> datetime:
    return now - timedelta(days=settings.HANDSET_CACHE_DAYS)


def parse_identity(reported: str | None) -> str | None:
    """The identity in what a carrier reported, or None where it says nothing about the handset."""
    identity = (reported or "").strip()[:IDENTITY_MAX]
    return None if identity.lower() in NO_INFORMATION else identity


def record_sighting(number: str, identity: str, source: CachedHandset.Source, seen: datetime) -> None:
    """Records that the number was seen with the handset of this identity, which may be new to us."""
    record_sightings([Sighting(number, identity, source, seen)])


def record_sightings(sightings: Sequence[Sighting]) -> None:
    """Records all of them; of one number the latest counts."""
    latest = {sighting.number: sighting for sighting in sorted(sightings, key=lambda sighting: sighting.seen)}
    _upsert(UPSERT, list(latest.values()), {})


def _upsert(statement: str, sightings: Sequence[Sighting], more: Mapping[str, Any]) -> None:
    if not sightings:
        return
    handsets = _handsets({sighting.identity for sighting in sightings})
    values: dict[str, Any] = {
        "numbers": [sighting.number for sighting in sightings],
        "handsets": [handsets[sighting.identity] for sighting in sightings],
        "sources": [sighting.source for sighting in sightings],
        "seen": [sighting.seen for sighting in sightings],
    }
    sql.fetch_rows(statement, {**values, **more})


def _handsets(identities: Collection[str]) -> dict[str, int]:
    """The keys of the handsets of these identities; those that are new to us are added."""
    found = _keys(identities)
    if missing := sorted(set(identities) - found.keys()):
        Handset.objects.bulk_create([Handset(identity=identity) for identity in missing], ignore_conflicts=True)
        found = _keys(identities)
    return found


def _keys(identities: Collection[str]) -> dict[str, int]:
    return dict(
        sql.fetch_rows("SELECT identity, id FROM handsets_handset WHERE identity = ANY(%s)", [list(identities)])
    )


# A caller's hint never overrules what a carrier reported, unless that is too old to be believed.
HINT = UPSERT.replace(
    "WHERE cached.last_seen <= excluded.last_seen",
    "WHERE cached.source = 'caller' OR cached.last_seen <= %(oldest)s",
)


@dataclass(frozen=True, slots=True)
class Hint:
    """A caller's word for the handset of a number."""

    number: str
    identity: str


def record_hints(hints: Sequence[Hint], now: datetime) -> None:
    """Takes the callers' words where the identity is recognised, of one number the last; else notes it as unmatched."""
    if not hints:
        return
    handsets = _handsets({hint.identity[:IDENTITY_MAX] for hint in hints})
    recognised = Handset.objects.filter(pk__in=handsets.values(), profile__isnull=False)
    identities = set(recognised.values_list("identity", flat=True))
    words = {h.number: h.identity[:IDENTITY_MAX] for h in hints if h.identity[:IDENTITY_MAX] in identities}
    sightings = [Sighting(number, word, CachedHandset.Source.CUSTOMER, now) for number, word in words.items()]
    _upsert(HINT, sightings, {"oldest": _oldest(now)})
