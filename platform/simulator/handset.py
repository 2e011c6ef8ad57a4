"""A handset: what it can show, and what it refuses to take."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from simulator.mime import Part

PRESENTATION_TYPES = frozenset({"application/smil", "text/plain"})


@dataclass(frozen=True, slots=True)
class Handset:
    """One model. `identity` is what carriers report as its UACapabilities.

    Screen and image box are in pixels (a picture may lie in the box either way round), `message_bytes` bounds
    the bodies of all parts together. `baseline_only`: it decodes baseline JPEG in RGB or grey, nothing newer.
    """

    name: str
    identity: str
    screen: tuple[int, int]
    image_box: tuple[int, int]
    message_bytes: int
    mime_types: frozenset[str]
    baseline_only: bool = False


def refusal(handset: Handset, parts: tuple[Part, ...]) -> str | None:
    """Why this handset would not take these parts, or nothing where it takes them."""
    return next(_objections(handset, parts), None)


def picture_size(part: Part) -> tuple[int, int] | None:
    """Width and height in pixels as stored, or nothing where the part is no picture that can be read."""
    try:
        return _open(part).size if part.mime_type.startswith("image/") else None
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None


def _objections(handset: Handset, parts: tuple[Part, ...]) -> Iterator[str]:
    size = sum(len(part.content) for part in parts)
    if size > handset.message_bytes:
        yield f"message of {size} bytes, the handset takes {handset.message_bytes}"
    for part in parts:
        if part.mime_type not in handset.mime_types | PRESENTATION_TYPES:
            yield f"{part.name}: the handset does not know {part.mime_type}"
        elif part.mime_type.startswith("image/"):
            yield from _picture_objections(handset, part)


def _picture_objections(handset: Handset, part: Part) -> Iterator[str]:
    try:
        image = _open(part)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        yield f"{part.name}: not a picture that can be decoded"
        return
    found = Image.MIME.get(image.format or "")
    if found != part.mime_type:
        yield f"{part.name}: declared {part.mime_type}, is {found}"
    if not _fits(image.size, handset.image_box):
        yield "{}: picture of {}x{}, the handset decodes {}x{}".format(part.name, *image.size, *handset.image_box)
    if handset.baseline_only and (image.info.get("progressive") or image.mode not in {"L", "RGB", "P", "1"}):
        yield f"{part.name}: neither baseline JPEG nor plain RGB, the handset decodes no other"


def _open(part: Part) -> Image.Image:
    """The picture with only its header read: decoding it would cost what a handset pays, not the network."""
    return Image.open(BytesIO(part.content))


def _fits(size: tuple[int, int], box: tuple[int, int]) -> bool:
    return max(size) <= max(box) and min(size) <= min(box)
