"""The limits that a message must meet: those of its handset, tightened by those of its carrier."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one message, in bytes and pixels.

    The image box applies in either orientation: 640x480 also admits a picture of 480x640.
    """

    message_bytes: int
    image_width: int
    image_height: int
    screen_width: int
    screen_height: int
    mime_types: frozenset[str]
    animated_gif: bool
    smil: bool
    charset: str
    takes_mms: bool
    decodes: frozenset[str] = frozenset()  # the codings of coding.py


def restrict(profile: Limits, *byte_limits: int | None) -> Limits:
    """Return the profile with its message size reduced to the smallest given limit (bytes; None is no limit)."""
    given = [limit for limit in byte_limits if limit is not None]
    return replace(profile, message_bytes=min(profile.message_bytes, *given)) if given else profile


def fit(width: int, height: int, box_width: int, box_height: int) -> tuple[int, int]:
    """Return the largest size of the same shape inside the box, in either orientation, never enlarged.

    The shorter side is rounded up, so that fitting into the result returns the result again.
    """
    long, short = max(width, height), min(width, height)
    box_long, box_short = max(box_width, box_height), min(box_width, box_height)
    if long * box_short >= short * box_long:
        fitted_long = min(long, box_long)
        fitted_short = -(-short * fitted_long // long)
    else:
        fitted_short = min(short, box_short)
        fitted_long = -(-long * fitted_short // short)
    return (fitted_long, fitted_short) if width >= height else (fitted_short, fitted_long)


def fits(width: int, height: int, box_width: int, box_height: int) -> bool:
    """Return whether a picture lies inside the box in either orientation. All in pixels."""
    return fit(width, height, box_width, box_height) == (width, height)
