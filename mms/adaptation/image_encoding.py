"""Encoding a picture into a number of bytes, at the highest quality that fits."""

from collections.abc import Callable
from io import BytesIO
from math import log
from typing import NamedTuple

from PIL import Image

LOWEST_QUALITY = 40
HIGHEST_QUALITY = 95


class EncodedImage(NamedTuple):
    """A picture's file, and the JPEG quality it has; formats without degrees of quality have None."""

    data: bytes
    quality: int | None


def encode_image(image: Image.Image, mime_type: str, max_bytes: int) -> EncodedImage | None:
    """The best file of the picture within `max_bytes`, or None. Raises KeyError for an unknown type."""
    return ENCODERS[mime_type](image, max_bytes)


def _encode_jpeg(image: Image.Image, max_bytes: int) -> EncodedImage | None:
    """Searches the qualities from 40 to 95 between one that fits and one that does not.

    The highest first: in the box of a handset it fits more often than not, and then nothing else is tried.
    """
    excess, highest = _save_jpeg(image, HIGHEST_QUALITY), HIGHEST_QUALITY
    if len(excess) <= max_bytes:
        return EncodedImage(excess, highest)
    fitting, lowest = _save_jpeg(image, LOWEST_QUALITY), LOWEST_QUALITY
    if len(fitting) > max_bytes:
        return None
    while highest - lowest > 1:
        quality = _next_quality(lowest, len(fitting), highest, len(excess), max_bytes)
        data = _save_jpeg(image, quality)
        if len(data) <= max_bytes:
            fitting, lowest = data, quality
        else:
            excess, highest = data, quality
    return EncodedImage(fitting, lowest)


def _next_quality(lowest: int, fitting: int, highest: int, excess: int, max_bytes: int) -> int:
    """The quality strictly between two others that should come nearest to `max_bytes`.

    The logarithm of a JPEG's size falls about evenly with that of its quantiser: three or four encodings find
    what halving the interval needs six for.
    """
    part = log(max_bytes / fitting) / log(excess / fitting) if excess > fitting else 0.5
    coarse, fine = log(_quantiser(lowest)), log(_quantiser(highest))
    quantiser = coarse + (fine - coarse) * part
    better = (quality for quality in range(highest - 1, lowest, -1) if log(_quantiser(quality)) >= quantiser)
    return next(better, lowest + 1)


def _quantiser(quality: int) -> float:
    """The percentage by which libjpeg scales its quantisation tables (jcparam.c, jpeg_quality_scaling)."""
    return 5000 / quality if quality < 50 else 200 - 2 * quality


def _save_jpeg(image: Image.Image, quality: int) -> bytes:
    # Baseline, not progressive: early handsets decode nothing else.
    return _save(image, "JPEG", quality=quality, optimize=True, progressive=False, subsampling="4:2:0")


def _encode_png(image: Image.Image, max_bytes: int) -> EncodedImage | None:
    data = _save(image, "PNG", optimize=True)
    return EncodedImage(data, None) if len(data) <= max_bytes else None


def _encode_gif(image: Image.Image, max_bytes: int) -> EncodedImage | None:
    data = _save(image.quantize(256), "GIF", optimize=True)
    return EncodedImage(data, None) if len(data) <= max_bytes else None


def _save(image: Image.Image, name: str, **options: int | str) -> bytes:
    file = BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


ENCODERS: dict[str, Callable[[Image.Image, int], EncodedImage | None]] = {
    "image/jpeg": _encode_jpeg,
    "image/png": _encode_png,
    "image/gif": _encode_gif,
}
