"""Opening pictures from bytes that may be damaged, hostile, or no picture at all."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import NamedTuple

import pillow_heif
from PIL import Image, UnidentifiedImageError

pillow_heif.register_heif_opener(thumbnails=False)


class Format(NamedTuple):
    """A format that Pillow reads: its MIME type and the pixels that a picture of it may have.

    A decoder takes more than a picture's own memory: 16 bytes a pixel were measured for WebP, 9 for AVIF,
    7 for HEIC, 4 for the others. The caps hold all of them near 250 MB.
    """

    mime_type: str
    max_pixels: int = 50_000_000
    animated: bool = False


FORMATS = {
    "JPEG": Format("image/jpeg"),
    "MPO": Format("image/jpeg"),  # A JPEG with more JPEGs behind it, as phones write; viewers show the first.
    "PNG": Format("image/png", animated=True),
    "GIF": Format("image/gif", animated=True),
    "WEBP": Format("image/webp", 16_000_000, animated=True),
    "AVIF": Format("image/avif", 28_000_000, animated=True),
    "HEIF": Format("image/heic", 36_000_000),
    "BMP": Format("image/bmp"),
}
PILLOW_FORMATS = [name for name in FORMATS if name != "MPO"]  # Pillow finds out about MPO while it reads a JPEG.
# How files of these formats begin, to tell a damaged picture from what never was one.
SIGNATURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|....ftyp(?:hei|hev|mif1|msf1|avi[fs])", re.DOTALL
)


class ImageError(Exception):
    """A picture that cannot be used; the message tells a customer why."""


class NotAnImage(ImageError):
    """The bytes are of no format that is taken."""


class ImageCorrupted(ImageError):
    """The picture is damaged or incomplete."""


class ImageTooLarge(ImageError):
    """The picture has more pixels or frames than can be decoded safely."""


@contextmanager
def open_image(data: bytes) -> Iterator[Image.Image]:
    """The picture in `data`, its headers read and its pixels not yet decoded; for use while it is decoded.

    Raises NotAnImage, ImageCorrupted (also for whatever decoding inside the block meets) or ImageTooLarge.
    """
    try:
        with Image.open(BytesIO(data), formats=PILLOW_FORMATS) as image:
            _check_pixels(image)
            yield image
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        if SIGNATURE.match(data):
            raise ImageCorrupted("the picture is damaged or incomplete") from None
        raise NotAnImage("the file is no JPEG, PNG, GIF, WebP, HEIC, AVIF or BMP picture") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageTooLarge("the picture has far too many pixels") from None
    except Exception as error:  # On hostile bytes Pillow's decoders raise nearly anything.
        raise ImageCorrupted("the picture is damaged or incomplete") from error


def _check_pixels(image: Image.Image) -> None:
    most = FORMATS[image.format or ""].max_pixels
    width, height = image.size
    if width * height > most:
        raise ImageTooLarge(f"the picture has {width:,} x {height:,} pixels; at most {most:,} are taken")
