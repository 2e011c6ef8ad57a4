"""Safe decoding of pictures from untrusted bytes, with limits on the pixels of one and the memory of all at once."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Final, NamedTuple

import pillow_heif
from PIL import Image, UnidentifiedImageError

from base.request_slots import WaitedTooLongError, WeightLimit

pillow_heif.register_heif_opener(thumbnails=False)


class Format(NamedTuple):
    """A picture format that Pillow reads: its MIME type, pixel limit, and the memory that decoding takes, as measured.

    Decoders need more memory than the picture itself. The limits on pixels keep all of them near 250 MB, except
    progressive JPEGs: a decoder holds 2 bytes for each pixel of each of their bands.
    """

    mime_type: str
    max_pixels: int = 50_000_000
    bytes_per_pixel: int = 5
    animated: bool = False


FORMATS = {
    "JPEG": Format("image/jpeg"),
    "MPO": Format("image/jpeg"),  # several JPEGs in one file, as phones write them; viewers show the first
    "PNG": Format("image/png", animated=True),
    "GIF": Format("image/gif", animated=True),
    "WEBP": Format("image/webp", 16_000_000, 16, animated=True),
    "AVIF": Format("image/avif", 28_000_000, 9, animated=True),
    "HEIF": Format("image/heic", 36_000_000, 7),
    "BMP": Format("image/bmp"),
}
# Bytes that the pictures decoded by a process at the same time may take. The largest of any format, or several of the
# usual 12 megapixels: with fewer processors than that, decoding more at once would not be faster.
DECODED_MAX: Final = 256_000_000
WAIT_MAX: Final = 10.0  # seconds
_decoding = WeightLimit(DECODED_MAX, WAIT_MAX)
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


class DecodingBusy(Exception):
    """Other pictures took the memory for too long. Nothing is wrong with this one."""


class ImageTooLarge(ImageError):
    """The picture has more pixels or frames than can be decoded safely."""


@contextmanager
def open_image(data: bytes) -> Iterator[Image.Image]:
    """Open the picture in `data`: headers are read, pixels are decoded inside the block, which ends their memory.

    It waits while other threads decode as much as the process may at once. Raises NotAnImage, ImageCorrupted (also for
    decoding errors inside the block), ImageTooLarge or DecodingBusy.
    """
    try:
        with Image.open(BytesIO(data), formats=PILLOW_FORMATS) as image:
            _check_pixels(image)
            with _decoding.enter(_decoded_size(image)):
                try:
                    yield image
                finally:
                    image.close()
    except WaitedTooLongError:
        raise DecodingBusy("too many large pictures are being checked at the moment") from None
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


def _decoded_size(image: Image.Image) -> int:
    """Return the bytes that decoding the picture takes at most."""
    per_pixel = FORMATS[image.format or ""].bytes_per_pixel
    if image.info.get("progressive"):
        per_pixel = max(per_pixel, 2 * len(image.getbands()))
    return image.width * image.height * per_pixel


def _check_pixels(image: Image.Image) -> None:
    limit = FORMATS[image.format or ""].max_pixels
    width, height = image.size
    if width * height > limit:
        raise ImageTooLarge(f"the picture has {width:,} x {height:,} pixels; at most {limit:,} are allowed")
