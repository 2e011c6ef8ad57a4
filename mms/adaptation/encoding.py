"""Encoding a picture into a number of bytes, at the highest quality that fits."""

from collections.abc import Callable
from io import BytesIO
from math import log
from typing import NamedTuple

from PIL import Image

LOWEST_QUALITY = 40
HIGHEST_QUALITY = 95


class Encoded(NamedTuple):
    """A picture's file, and the JPEG quality it has; formats without degrees of quality have None."""

    data: bytes
    quality: int | None


def encoded(image: Image.Image, mime_type: str, max_bytes: int) -> Encoded | None:
    """The best file of the picture within `max_bytes`, or None. Raises KeyError for an unknown type."""
    return ENCODERS[mime_type](image, max_bytes)


def _best_jpeg(image: Image.Image, max_bytes: int) -> Encoded | None:
    """Searches the qualities from 40 to 95 between one that fits and one that does not.

    The highest first: in the box of a handset it fits more often than not, and then nothing else is tried.
    """
    excess, highest = _jpeg(image, HIGHEST_QUALITY), HIGHEST_QUALITY
    if len(excess) <= max_bytes:
        return Encoded(excess, highest)
    fitting, lowest = _jpeg(image, LOWEST_QUALITY), LOWEST_QUALITY
    if len(fitting) > max_bytes:
        return None
    while highest - lowest > 1:
        quality = _between(lowest, len(fitting), highest, len(excess), max_bytes)
        data = _jpeg(image, quality)
        if len(data) <= max_bytes:
            fitting, lowest = data, quality
        else:
            excess, highest = data, quality
    return Encoded(fitting, lowest)


def _between(lowest: int, fitting: int, highest: int, excess: int, max_bytes: int) -> int:
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


def _jpeg(image: Image.Image, quality: int) -> bytes:
    # Baseline, not progressive: early handsets decode nothing else.
    return _saved(image, "JPEG", quality=quality, optimize=True, progressive=False, subsampling="4:2:0")


def _png(image: Image.Image, max_bytes: int) -> Encoded | None:
    data = _saved(image, "PNG", optimize=True)
    return Encoded(data, None) if len(data) <= max_bytes else None


def _gif(image: Image.Image, max_bytes: int) -> Encoded | None:
    data = _saved(image.quantize(256), "GIF", optimize=True)
    return Encoded(data, None) if len(data) <= max_bytes else None


def _saved(image: Image.Image, name: str, **options: int | str) -> bytes:
    file = BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


ENCODERS: dict[str, Callable[[Image.Image, int], Encoded | None]] = {
    "image/jpeg": _best_jpeg,
    "image/png": _png,
    "image/gif": _gif,
}
