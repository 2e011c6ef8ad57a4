"""Effective attributes of a handset: those of its profile, with inherited ones filled in."""

from dataclasses import dataclass, fields
from typing import Any

from base import sql
from handsets.models import Handset, Profile


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of a handset profile. Sizes are pixels or bytes; the image size applies in either orientation."""

    screen_width: int
    screen_height: int
    image_width: int
    image_height: int
    message_bytes: int
    mime_types: frozenset[str]
    decodes: frozenset[str]
    animated_gif: bool
    smil: bool
    charset: str
    takes_mms: bool
    takes_link: bool


def attributes(handset: Handset | None) -> Attributes:
    """Return the attributes of the handset's profile, or of the generic profile if it has none."""
    (generic,) = sql.fetch_objects(Profile, "WHERE generic", [])
    own = handset.profile if handset and handset.profile else generic
    return Attributes(**_merged([*_lineage(own), generic]))


def describe(handset: Handset | None) -> str:
    """Return which profile's limits hold for the handset; without one of its own, those of the generic profile."""
    if handset and handset.profile:
        return f"profile {handset.profile}"
    return f"generic profile; no profile for {handset}" if handset else "generic profile"


def _lineage(profile: Profile) -> list[Profile]:
    """Return the profile and its ancestors, nearest first. A cycle, which the admin refuses, ends the list."""
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
    for name in ("mime_types", "decodes"):
        merged[name] = frozenset(merged[name])
    return merged
