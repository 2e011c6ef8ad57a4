"""Inspection and resizing of pictures.

The format is detected from the bytes alone; file names and declared types are ignored.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO

from PIL import ExifTags, Image, ImageCms

from mms.adaptation.coding import codings
from mms.adaptation.content import Kind, Source
from mms.adaptation.decoding import (
    FORMATS,
    DecodingBusy,
    ImageCorrupted,
    ImageError,
    ImageTooLarge,
    NotAnImage,
    open_image,
)
from mms.adaptation.image_encoding import encode_image
from mms.adaptation.limits import fit
from mms.adaptation.plan import Recipe
from mms.adaptation.similarity import ssim

__all__ = [
    "AdaptedImage",
    "DecodingBusy",
    "DoesNotFit",
    "ImageCorrupted",
    "ImageError",
    "ImageTooLarge",
    "NotAnImage",
    "inspect",
    "resize",
]

MAX_FRAMES = 1_000
# The smallest box that a picture is shrunk to in order to save bytes.
SMALLEST_BOX = (128, 96)
SHRINK_FACTOR = 0.85
# The transform that brings the pixels upright, by EXIF orientation (CIPA DC-008, tag 274).
UPRIGHT_TRANSFORMS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
BAND_PIXELS = 1_000_000


class DoesNotFit(ImageError):
    """Even the smallest size at the lowest quality exceeds the byte limit."""


@dataclass(frozen=True, slots=True)
class AdaptedImage:
    """An adapted picture. `ssim` compares it with the resized source before encoding.

    `quality` is the JPEG quality, None for other formats; `smaller_box` is true if the byte limit required a size
    below the recipe's box.
    """

    data: bytes
    mime_type: str
    width: int
    height: int
    quality: int | None
    ssim: float
    smaller_box: bool


def inspect(data: bytes) -> Source:
    """Return the properties of the picture in `data`, after decoding it once as a check.

    Raises NotAnImage, ImageCorrupted or, before any pixel is decoded, ImageTooLarge or DecodingBusy.
    """
    with open_image(data) as image:
        orientation, frames, (width, height) = _orientation(image), _count_frames(image), image.size
        # Decode a JPEG at an eighth of its size: all bytes are still read, so damage is found, at a third of the cost.
        image.draft("L", (1, 1))
        image.load()
        return Source(
            sha256=hashlib.sha256(data).hexdigest(),
            kind=Kind.IMAGE,
            mime_type=FORMATS[image.format or ""].mime_type,
            size=len(data),
            width=width,
            height=height,
            orientation=orientation,
            frames=frames,
            transparent=_is_transparent(image),
            cmyk=image.mode == "CMYK",
            coding=codings(data, FORMATS[image.format or ""].mime_type),
        )


def resize(
    data: bytes, recipe: Recipe, postprocess: Callable[[Image.Image], Image.Image] = lambda picture: picture
) -> AdaptedImage:
    """Return the picture in `data`, upright and in sRGB, at the best quality within the recipe's box and bytes.

    If no quality fits, the picture shrinks in steps. Metadata such as location, camera and comments is dropped.
    `postprocess` is applied at the final size, before encoding. Raises DoesNotFit, and the errors of `inspect` and
    `postprocess`.
    """
    original = _decode(data, recipe)
    for size in _candidate_sizes(*original.size):
        resized = postprocess(original if size == original.size else original.resize(size, Image.Resampling.LANCZOS))
        if best := encode_image(resized, recipe.mime_type, recipe.max_bytes):
            with Image.open(BytesIO(best.data)) as copy:
                copy.draft("L", size)  # only luminance is compared
                similarity = ssim(resized, copy)
            return AdaptedImage(best.data, recipe.mime_type, *size, best.quality, similarity, size != original.size)
    raise DoesNotFit(f"the picture does not fit into {recipe.max_bytes:,} bytes, even at the smallest size")


def _count_frames(image: Image.Image) -> int:
    if not FORMATS[image.format or ""].animated:
        return 1
    frames: int = getattr(image, "n_frames", 1)
    if frames > MAX_FRAMES:
        raise ImageTooLarge(f"the animation has {frames:,} frames; at most {MAX_FRAMES:,} are allowed")
    return frames


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF is common, and the parser raises almost any exception
        return 1
    return orientation if orientation in UPRIGHT_TRANSFORMS else 1


def _is_transparent(image: Image.Image) -> bool:
    if image.mode in {"RGBA", "LA"}:
        return bool(image.getchannel("A").getextrema() != (255, 255))
    return image.has_transparency_data


def _decode(data: bytes, recipe: Recipe) -> Image.Image:
    """Decode the picture and fit it into the recipe's box: upright, in RGB, or RGBA for formats with transparency."""
    with open_image(data) as image:
        orientation, profile = _orientation(image), image.info.get("icc_profile")
        width, height = fit(*image.size, recipe.box_width, recipe.box_height)
        # JPEG decodes faster at 1/2, 1/4 or 1/8 of its size; a quarter more than the box keeps it sharp.
        image.draft(None, (width * 5 // 4, height * 5 // 4))
        image.load()
        shrunk = _shrink(image, (width, height))
    coloured = _to_srgb(shrunk, profile)
    upright = coloured.transpose(UPRIGHT_TRANSFORMS[orientation]) if orientation in UPRIGHT_TRANSFORMS else coloured
    picture = upright if recipe.mime_type == "image/png" else _flatten_on_white(upright)
    picture.info.clear()
    return picture


def _shrink(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the picture resampled to `size`.

    Much larger pictures are averaged down first, in bands: a whole conversion of 50 megapixels takes 200 MB more.
    """
    factor = min(image.width // (2 * size[0]), image.height // (2 * size[1]))
    if factor > 1:
        image = _reduce(image, factor)
    # After averaging, bicubic is as accurate as Lanczos (PSNR 46 to 49 dB) at three quarters of the time.
    resized = _to_resampleable(image).resize(size, Image.Resampling.BICUBIC)
    return resized.convert("RGBA") if resized.mode == "RGBa" else resized


def _reduce(image: Image.Image, factor: int) -> Image.Image:
    rows = max(1, BAND_PIXELS // image.width // factor) * factor
    bands = [
        _to_resampleable(image.crop((0, top, image.width, min(top + rows, image.height)))).reduce(factor)
        for top in range(0, image.height, rows)
    ]
    reduced = Image.new(bands[0].mode, (bands[0].width, sum(band.height for band in bands)))
    for number, band in enumerate(bands):
        reduced.paste(band, (0, number * (rows // factor)))
    return reduced


def _to_resampleable(image: Image.Image) -> Image.Image:
    """Convert the picture to grey, RGB, CMYK, or RGB premultiplied by alpha."""
    if image.mode.startswith("I"):
        # Pillow's own conversion of 16-bit grey clips instead of scaling.
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode == "RGBa":
        return image
    if image.has_transparency_data:
        return image.convert("RGBA").convert("RGBa")
    return image if image.mode in {"L", "RGB", "CMYK"} else image.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert the picture to sRGB, in RGB or RGBA; a missing or broken ICC profile is ignored."""
    colours = image.convert("RGB") if image.mode == "RGBA" else image
    try:
        converted = _apply_profile(colours, profile) if profile else colours.convert("RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):  # a broken profile, or one for another colour model
        converted = colours.convert("RGB")
    if image.mode == "RGBA":
        converted.putalpha(image.getchannel("A"))
    return converted


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image:
    srgb = ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(BytesIO(profile), srgb, image.mode, "RGB")
    return transform.apply(image)


def _flatten_on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _candidate_sizes(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield the picture's size, then smaller ones in steps, the last within the smallest box."""
    yield width, height
    smallest = fit(width, height, *SMALLEST_BOX)
    scale = SHRINK_FACTOR
    while round(width * scale) > smallest[0] and round(height * scale) > smallest[1]:
        yield round(width * scale), round(height * scale)
        scale *= SHRINK_FACTOR
    if smallest != (width, height):
        yield smallest
