"""Pictures, content and limits for the adaptation tests."""

from dataclasses import replace
from functools import cache
from io import BytesIO
from typing import Any

from PIL import Image

from mms.adaptation.content import Content, Kind, SlideContent, Source
from mms.adaptation.limits import Limits

GENERIC = Limits(
    message_bytes=300_000,
    image_width=640,
    image_height=480,
    screen_width=640,
    screen_height=480,
    mime_types=frozenset({"image/jpeg", "image/gif"}),
    animated_gif=True,
    smil=True,
    charset="utf-8",
    takes_mms=True,
)
PHOTO = Source(
    sha256="5" * 64,
    kind=Kind.IMAGE,
    mime_type="image/jpeg",
    size=90_000,
    width=640,
    height=480,
    orientation=1,
    frames=1,
    transparent=False,
)


def limits(**changes: Any) -> Limits:
    return replace(GENERIC, **changes)


def photo(**changes: Any) -> Source:
    return replace(PHOTO, **changes)


def content(*slides: tuple[str, Source | None], subject: str = "Hello") -> Content:
    return Content(subject, tuple(SlideContent(5, text, (source,) if source else ()) for text, source in slides))


def encode_picture(image: Image.Image, name: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def decode_picture(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


@cache
def make_photo(width: int, height: int) -> Image.Image:
    """Return a gradient with coarse and fine noise, which compresses like a photograph."""
    slope = Image.linear_gradient("L").resize((width, height))
    fine = Image.effect_noise((width, height), 40)
    coarse = Image.effect_noise((max(1, width // 8), max(1, height // 8)), 90).resize((width, height))
    return Image.merge("RGB", (Image.blend(slope, coarse, 0.5), Image.blend(slope, fine, 0.2), coarse))
