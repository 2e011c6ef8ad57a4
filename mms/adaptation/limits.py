"""What a message may be: the tightest of what its handset, its carrier and its account allow."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes and pixels. The image box may be turned: 640x480 takes a picture of 480x640 as well."""

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


def restrict(profile: Limits, *byte_limits: int | None) -> Limits:
    """The profile with the smallest of its own and the given message sizes (bytes; None is no limit)."""
    given = [limit for limit in byte_limits if limit is not None]
    return replace(profile, message_bytes=min(profile.message_bytes, *given)) if given else profile


def fit(width: int, height: int, box_width: int, box_height: int) -> tuple[int, int]:
    """The largest size of the same shape inside the box, turned if that helps; never larger than it was.

    The shorter side is rounded up, so that fitting into the answer gives the answer again.
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
    """Whether a picture lies inside the box, upright or turned. All in pixels."""
    return fit(width, height, box_width, box_height) == (width, height)
