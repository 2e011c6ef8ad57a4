"""Encoding of pictures within a byte limit, at the highest quality that fits."""

from collections.abc import Callable
from io import BytesIO
from math import log
from typing import NamedTuple

from PIL import Image

LOWEST_QUALITY = 40
HIGHEST_QUALITY = 95


class EncodedImage(NamedTuple):
    """An encoded picture and its JPEG quality; None for formats without a quality setting."""

    data: bytes
    quality: int | None


def encode_image(image: Image.Image, mime_type: str, max_bytes: int) -> EncodedImage | None:
    """Encode the picture at the best quality within `max_bytes`; None if it does not fit.

    Raises KeyError for an unsupported type.
    """
    return ENCODERS[mime_type](image, max_bytes)


def _encode_jpeg(image: Image.Image, max_bytes: int) -> EncodedImage | None:
    """Search the qualities from 40 to 95 for the highest that fits.

    Try the highest first: at handset sizes it usually fits, and the search ends there.
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
    """Interpolate the quality strictly between two others whose file should come closest to `max_bytes`.

    The logarithm of a JPEG's size is roughly linear in that of its quantiser, so three or four encodings find the
    result, where bisection needs six.
    """
    part = log(max_bytes / fitting) / log(excess / fitting) if excess > fitting else 0.5
    coarse, fine = log(_quantiser(lowest)), log(_quantiser(highest))
    quantiser = coarse + (fine - coarse) * part
    better = (quality for quality in range(highest - 1, lowest, -1) if log(_quantiser(quality)) >= quantiser)
    return next(better, lowest + 1)


def _quantiser(quality: int) -> float:
    """Return the percentage by which libjpeg scales its quantisation tables (jcparam.c, jpeg_quality_scaling)."""
    return 5000 / quality if quality < 50 else 200 - 2 * quality


def _save_jpeg(image: Image.Image, quality: int) -> bytes:
    # Baseline, not progressive: early handsets decode only that.
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
