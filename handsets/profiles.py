"""From a handset to the attributes of its profile, inherited attributes filled in."""

from dataclasses import dataclass, fields
from typing import Any

from base import sql
from handsets.models import Handset, Profile


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a class of handsets can show. Sizes in pixels and bytes; the image box may be turned."""

    screen_width: int
    screen_height: int
    image_width: int
    image_height: int
    message_bytes: int
    mime_types: frozenset[str]
    animated_gif: bool
    smil: bool
    charset: str
    takes_mms: bool
    takes_link: bool


def attributes(handset: Handset | None) -> Attributes:
    """The attributes of the handset's profile, or of the generic profile where it has none or is unknown."""
    (generic,) = sql.fetch_objects(Profile, "WHERE generic", [])
    own = handset.profile if handset and handset.profile else generic
    return Attributes(**_merged([*_lineage(own), generic]))


def _lineage(profile: Profile) -> list[Profile]:
    """The profile and its ancestors, nearest first; a circle, which the admin refuses, would end it."""
    lineage: list[Profile] = []
    current: Profile | None = profile
    while current is not None and current not in lineage:
        lineage.append(current)
        current = current.parent
    return lineage


def _merged(lineage: list[Profile]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for field in fields(Attributes):
        values = (getattr(profile, field.name) for profile in lineage)
        merged[field.name] = next(value for value in values if value is not None)
    merged["mime_types"] = frozenset(merged["mime_types"])
    return merged
