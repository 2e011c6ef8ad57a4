"""What a message holds before adaptation: slides of text and media, as the customer supplied them."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a medium is, decided from its bytes."""

    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Form:
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
    forms: tuple[Form, ...] = ()


@dataclass(frozen=True, slots=True)
class SlideContent:
    """One slide: its duration in seconds, its text with every merge tag filled, its media."""

    duration: float
    text: str
    media: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """All that one message is to show, in order."""

    subject: str
    slides: tuple[SlideContent, ...]
