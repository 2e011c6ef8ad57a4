"""What a message holds before adaptation: slides of text and media, as the customer supplied them."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

COLOR: Final = re.compile(r"\A#[0-9A-Fa-f]{6}\Z")
AREAS_MAX = 10  # of one picture
FONT_SIZE_MIN, FONT_SIZE_MAX = 6, 1000  # pixels of the source


class Kind(StrEnum):
    """What a medium is, decided from its bytes."""

    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    OBJECT = "object"


class Font(StrEnum):
    """The fonts that texts are drawn in."""

    SANS = "sans"
    SANS_BOLD = "sans-bold"


class Align(StrEnum):
    """Where the lines of a text stand between the sides of its box."""

    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"


class VerticalAlign(StrEnum):
    """Where a text stands between the top and the bottom of its box."""

    TOP = "top"
    MIDDLE = "middle"
    BOTTOM = "bottom"


@dataclass(frozen=True, slots=True)
class Area:
    """A text that is drawn onto a picture, and its box. All in pixels of the source, upright; colour as #RRGGBB."""

    text: str
    left: int
    top: int
    width: int
    height: int
    font_size: int
    font: Font = Font.SANS
    color: str = "#000000"
    align: Align = Align.LEFT
    vertical_align: VerticalAlign = VerticalAlign.TOP


@dataclass(frozen=True, slots=True)
class Variant:
    """A file in which an audio, a video or an object can go out; `recipe` is "" for the original. Size in bytes."""

    recipe: str
    mime_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Source:
    """One medium as the customer supplied it. Size in bytes; width and height in pixels, as stored.

    `orientation` is the EXIF orientation (1 to 8) that a viewer still has to apply; `frames` is 1 unless
    animated; `cmyk` tells a picture in print colours, which handsets show wrongly or not at all. `forms` are the
    encodings of an audio or a video, best first.
    """

    sha256: str
    kind: Kind
    mime_type: str
    size: int
    width: int = 0
    height: int = 0
    orientation: int = 1
    frames: int = 1
    transparent: bool = False
    cmyk: bool = False
    variants: tuple[Variant, ...] = ()

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height once the orientation is applied: 5 to 8 lie on their side (CIPA DC-008, tag 274)."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


@dataclass(frozen=True, slots=True)
class SlideContent:
    """One slide: its duration in seconds, its text, its media, and the texts that are drawn onto its still picture.

    Every merge tag is filled.
    """

    duration: float
    text: str
    media: tuple[Source, ...]
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """All that one message is to show, in order."""

    subject: str
    slides: tuple[SlideContent, ...]
