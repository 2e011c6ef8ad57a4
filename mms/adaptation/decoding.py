"""Safe decoding of pictures from untrusted bytes, with limits on the pixels of one and the memory of all at once."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Final, NamedTuple

import pillow_heif
from PIL import Image, PngImagePlugin, UnidentifiedImageError

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
# The chunks of a PNG that say how it looks (ISO/IEC 15948 and APNG).
PNG = b"\x89PNG\r\n\x1a\n"
PNG_CHUNKS = frozenset(b"IHDR PLTE IDAT IEND tRNS iCCP sRGB eXIf acTL fcTL fdAT".split())
# Bytes of an unpacked colour profile; tables for printers and cameras exceed the megabyte that Pillow allows.
PngImagePlugin.MAX_TEXT_CHUNK = 16_000_000
# Where Pillow keeps XMP. Its orientation does not count: viewers follow that of Exif, and editors leave stale ones.
XMP = ("xmp", "XML:com.adobe.xmp")
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


def _without_texts(data: bytes) -> bytes:
    """Return a PNG without the chunks that do not matter for its picture; anything else as it is.

    Pillow refuses pictures with more text than a megabyte, or with a wrong checksum in it.
    """
    if not data.startswith(PNG):
        return data
    kept, at = [PNG], len(PNG)
    while at + 8 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        if data[at + 4 : at + 8] in PNG_CHUNKS:
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


@contextmanager
def open_image(data: bytes) -> Iterator[Image.Image]:
    """Open the picture in `data`: headers are read, pixels are decoded inside the block, which ends their memory.

    It waits while other threads decode as much as the process may at once. Raises NotAnImage, ImageCorrupted (also for
    decoding errors inside the block), ImageTooLarge or DecodingBusy.
    """
    try:
        with Image.open(BytesIO(_without_texts(data)), formats=PILLOW_FORMATS) as image:
            _check_pixels(image)
            for name in XMP:
                image.info.pop(name, None)
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
