"""Value types for a message's content before adaptation: slides of text and media, as the customer supplied them."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

COLOR: Final = re.compile(r"\A#[0-9A-Fa-f]{6}\Z")
AREAS_MAX = 10  # per picture
FONT_SIZE_MIN, FONT_SIZE_MAX = 6, 1000  # in pixels of the source


class Kind(StrEnum):
    """The kind of a medium, detected from its bytes."""

    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    OBJECT = "object"


class Font(StrEnum):
    """The fonts for text drawn onto pictures."""

    SANS = "sans"
    SANS_BOLD = "sans-bold"


class Align(StrEnum):
    """Horizontal alignment of text in its box."""

    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"


class VerticalAlign(StrEnum):
    """Vertical alignment of text in its box."""

    TOP = "top"
    MIDDLE = "middle"
    BOTTOM = "bottom"


@dataclass(frozen=True, slots=True)
class Area:
    """A text area: text to draw onto a picture, and its box.

    All sizes are in pixels of the upright source; the colour is #RRGGBB.
    """

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
    """A file of an audio, a video or an object that can be sent; `recipe` is "" for the original. Size in bytes."""

    recipe: str
    mime_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Source:
    """One medium as the customer supplied it. Size in bytes; width and height in pixels, as stored.

    `orientation` is the EXIF orientation (1 to 8) that a viewer has to apply; `frames` is 1 unless the picture is
    animated; `cmyk` marks CMYK colours, which handsets show wrongly or not at all. `variants` are the encodings of
    an audio or a video, best first. `coding` has those of coding.py's names that apply; None if it was not recorded.
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
    coding: frozenset[str] | None = frozenset()

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height after the orientation is applied: 5 to 8 swap them (CIPA DC-008, tag 274)."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


@dataclass(frozen=True, slots=True)
class SlideContent:
    """One slide: duration in seconds, text, media, and the text areas of its picture. All merge tags are filled."""

    duration: float
    text: str
    media: tuple[Source, ...]
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """The content of one message: its subject and its slides in order."""

    subject: str
    slides: tuple[SlideContent, ...]
