"""Safe decoding of pictures from untrusted bytes, with limits on pixels and memory."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import NamedTuple

import pillow_heif
from PIL import Image, UnidentifiedImageError

pillow_heif.register_heif_opener(thumbnails=False)


class Format(NamedTuple):
    """A picture format that Pillow reads: its MIME type and pixel limit.

    Decoders need more memory than the picture itself: 16 bytes per pixel were measured for WebP, 9 for AVIF,
    7 for HEIC, 4 for the others. The limits keep all of them near 250 MB.
    """

    mime_type: str
    max_pixels: int = 50_000_000
    animated: bool = False


FORMATS = {
    "JPEG": Format("image/jpeg"),
    "MPO": Format("image/jpeg"),  # several JPEGs in one file, as phones write them; viewers show the first
    "PNG": Format("image/png", animated=True),
    "GIF": Format("image/gif", animated=True),
    "WEBP": Format("image/webp", 16_000_000, animated=True),
    "AVIF": Format("image/avif", 28_000_000, animated=True),
    "HEIF": Format("image/heic", 36_000_000),
    "BMP": Format("image/bmp"),
}
PILLOW_FORMATS = [name for name in FORMATS if name != "MPO"]  # Pillow detects MPO while it reads a JPEG
# The first bytes of these formats, to distinguish a damaged picture from a file of another type.
SIGNATURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|....ftyp(?:hei|hev|mif1|msf1|avi[fs])", re.DOTALL
)


class ImageError(Exception):
    """A picture cannot be used; the message gives the customer the reason."""


class NotAnImage(ImageError):
    """The bytes are in no supported picture format."""


class ImageCorrupted(ImageError):
    """The picture is damaged or incomplete."""


class ImageTooLarge(ImageError):
    """The picture has more pixels or frames than can be decoded safely."""


@contextmanager
def open_image(data: bytes) -> Iterator[Image.Image]:
    """Open the picture in `data`: headers are read, pixels are decoded inside the block.

    Raises NotAnImage, ImageCorrupted (also for decoding errors inside the block) or ImageTooLarge.
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
        raise NotAnImage("the file is not a JPEG, PNG, GIF, WebP, HEIC, AVIF or BMP picture") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageTooLarge("the picture has far too many pixels") from None
    except Exception as error:  # Pillow's decoders raise almost any exception on hostile bytes.
        raise ImageCorrupted("the picture is damaged or incomplete") from error


def _check_pixels(image: Image.Image) -> None:
    limit = FORMATS[image.format or ""].max_pixels
    width, height = image.size
    if width * height > limit:
        raise ImageTooLarge(f"the picture has {width:,} x {height:,} pixels; at most {limit:,} are allowed")
