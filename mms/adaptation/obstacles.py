"""The reasons, apart from size in bytes, why the original of a picture or sound cannot be sent."""

from collections.abc import Iterator

from mms.adaptation.content import SlideContent, Source
from mms.adaptation.limits import Limits, fits


def picture_obstacles(slide: SlideContent, source: Source, limits: Limits) -> Iterator[str]:
    """Yield the reasons why the original of a picture cannot be sent."""
    if slide.areas:
        yield "text is drawn onto it"
    if source.mime_type not in limits.mime_types:
        yield f"the handset does not support {source.mime_type}"
    if source.frames > 1 and not limits.animated_gif:
        yield "the handset does not support animations"
    if not fits(source.width, source.height, limits.image_width, limits.image_height):
        yield f"it is larger than {limits.image_width} x {limits.image_height} pixels"
    if source.orientation != 1:
        yield "it must be rotated upright"
    if source.cmyk:
        yield "its colours are CMYK"
    yield from coding_obstacles(source, limits)


def coding_obstacles(source: Source, limits: Limits) -> Iterator[str]:
    """Yield how the file is coded that the handset does not decode."""
    if source.coding is None:
        yield "how it is coded was not recorded"
        return
    for coding in sorted(source.coding - limits.decodes):
        yield f"the handset does not decode {coding}"
