"""Simulated handsets: their limits, and the check of received content against them."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from simulator.coding import beyond_baseline
from simulator.mime import Part

PRESENTATION_TYPES = frozenset({"application/smil", "text/plain"})


@dataclass(frozen=True, slots=True)
class Handset:
    """A handset model. `identity` is the value that carriers report in UACapabilities.

    Screen and image box are in pixels; a picture may fit the box in either orientation. `message_bytes` limits the
    total size of all parts. With `baseline_only`, the handset decodes only the plainest coding
    of each type: baseline JPEG in RGB or greyscale, opaque PNG, AMR-NB, H.264 baseline.
    """

    name: str
    identity: str
    screen: tuple[int, int]
    image_box: tuple[int, int]
    message_bytes: int
    mime_types: frozenset[str]
    baseline_only: bool = False


def rejection_reason(handset: Handset, parts: tuple[Part, ...]) -> str | None:
    """Return the reason why the handset rejects these parts, or None if it accepts them."""
    return next(_rejection_reasons(handset, parts), None)


def picture_size(part: Part) -> tuple[int, int] | None:
    """Return width and height in pixels as stored, or None if the part is not a readable picture."""
    try:
        return _open(part).size if part.mime_type.startswith("image/") else None
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None


def _rejection_reasons(handset: Handset, parts: tuple[Part, ...]) -> Iterator[str]:
    size = sum(len(part.content) for part in parts)
    if size > handset.message_bytes:
        yield f"message of {size} bytes exceeds the handset's limit of {handset.message_bytes}"
    for part in parts:
        if part.mime_type not in handset.mime_types | PRESENTATION_TYPES:
            yield f"{part.name}: the handset does not support {part.mime_type}"
        elif part.mime_type.startswith("image/"):
            yield from _picture_rejection_reasons(handset, part)
        elif handset.baseline_only:
            yield from (f"{part.name}: {reason}" for reason in beyond_baseline(part))


def _picture_rejection_reasons(handset: Handset, part: Part) -> Iterator[str]:
    try:
        image = _open(part)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        yield f"{part.name}: the picture cannot be decoded"
        return
    found = "image/jpeg" if image.format == "MPO" else Image.MIME.get(image.format or "")
    if found != part.mime_type:
        yield f"{part.name}: declared as {part.mime_type}, but is {found}"
    if not _fits(image.size, handset.image_box):
        yield "{}: picture of {}x{} exceeds the handset's {}x{}".format(part.name, *image.size, *handset.image_box)
    if handset.baseline_only:
        yield from (f"{part.name}: {reason}" for reason in beyond_baseline(part))
    if (
        handset.baseline_only
        and part.mime_type != "image/png"
        and (image.info.get("progressive") or image.mode not in {"L", "RGB", "P", "1"})
    ):
        yield f"{part.name}: the handset decodes only baseline JPEG in RGB or greyscale"


def _open(part: Part) -> Image.Image:
    """Open the picture and read only its header: full decoding would slow down the simulator."""
    return Image.open(BytesIO(part.content))


def _fits(size: tuple[int, int], box: tuple[int, int]) -> bool:
    return max(size) <= max(box) and min(size) <= min(box)
