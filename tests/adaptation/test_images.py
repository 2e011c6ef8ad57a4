import hashlib
import struct
import zlib
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from mms.adaptation.content import Kind, Source
from mms.adaptation.images import (
    DoesNotFit,
    ImageCorrupted,
    ImageError,
    ImageTooLarge,
    NotAnImage,
    inspect,
    resize,
)
from mms.adaptation.limits import fits
from mms.adaptation.plan import Recipe
from tests.adaptation.pictures import decode_picture, encode_picture, make_photo

GENERIC = Recipe(640, 480, 100_000, "image/jpeg")
RED, GREEN, BLUE, WHITE = (254, 0, 0), (0, 128, 0), (0, 0, 254), (255, 255, 255)

# The stored positions of the visible upper left and upper right corners, by EXIF orientation.
CORNERS = {
    1: ("upper left", "upper right"),
    2: ("upper right", "upper left"),
    3: ("lower right", "lower left"),
    4: ("lower left", "lower right"),
    5: ("upper left", "lower left"),
    6: ("lower left", "upper left"),
    7: ("lower right", "upper right"),
    8: ("upper right", "lower right"),
}


def exif_with(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "A camera"
    return exif


def with_corners(width: int, height: int, red: str, green: str) -> Image.Image:
    image = Image.new("RGB", (width, height), WHITE)
    for corner, colour in ((red, RED), (green, GREEN)):
        left = 0 if "left" in corner else width - width // 4
        top = 0 if "upper" in corner else height - height // 4
        image.paste(colour, (left, top, left + width // 4, top + height // 4))
    return image


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checked = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + checked + struct.pack(">I4s", 1_000, b"IDAT")


def gif_header(width: int, height: int) -> bytes:
    screen = struct.pack("<6sHHBBB", b"GIF89a", width, height, 0, 0, 0)
    return screen + struct.pack("<sHHHHBB", b",", 0, 0, width, height, 0, 8)


def near(colour: Any, expected: tuple[int, ...], tolerance: int = 12) -> bool:
    return all(abs(value - wanted) <= tolerance for value, wanted in zip(colour, expected, strict=True))


@pytest.fixture(scope="module")
def twelve_megapixels() -> bytes:
    return encode_picture(make_photo(4_000, 3_000), "JPEG", quality=85, exif=exif_with(1))


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("GIF", "image/gif"),
        ("WEBP", "image/webp"),
        ("BMP", "image/bmp"),
        ("AVIF", "image/avif"),
        ("HEIF", "image/heic"),
    ],
)
def test_picture_is_inspected_from_its_bytes(name: str, mime_type: str) -> None:
    data = encode_picture(make_photo(64, 48), name)
    assert inspect(data) == Source(
        sha256=hashlib.sha256(data).hexdigest(),
        kind=Kind.IMAGE,
        mime_type=mime_type,
        size=len(data),
        width=64,
        height=48,
        orientation=1,
        frames=1,
        coding=frozenset({"interlaced GIF"} if name == "GIF" else ()),  # Pillow writes GIFs interlaced
        transparent=False,
        cmyk=False,
    )
    assert decode_picture(resize(data, GENERIC).data).size == (64, 48)


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        (encode_picture(make_photo(40, 30), "JPEG", exif=exif_with(6)), {"orientation": 6}),
        (encode_picture(make_photo(40, 30), "JPEG", exif=exif_with(9)), {}),
        (encode_picture(make_photo(40, 30), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), {}),
        (encode_picture(make_photo(40, 30), "PNG", exif=exif_with(8)), {"orientation": 8}),
        (encode_picture(make_photo(40, 30).convert("CMYK"), "JPEG"), {"cmyk": True}),
        (encode_picture(Image.new("RGBA", (40, 30), (9, 9, 9, 0)), "PNG"), {"transparent": True}),
        (encode_picture(Image.new("RGBA", (40, 30), (9, 9, 9, 255)), "PNG"), {}),
        (encode_picture(Image.new("LA", (40, 30), (9, 100)), "PNG"), {"transparent": True}),
        (encode_picture(Image.new("P", (40, 30), 1), "PNG", transparency=1), {"transparent": True}),
    ],
    ids=[
        "turned",
        "no-orientation",
        "bad-exif",
        "png-exif",
        "cmyk",
        "rgba",
        "opaque",
        "grey-alpha",
        "palette",
    ],
)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")  # Pillow warns and continues
def test_properties_that_handsets_may_not_show_are_found(data: bytes, changes: dict[str, Any]) -> None:
    source = inspect(data)
    plain = replace(source, orientation=1, transparent=False, cmyk=False)
    assert source == replace(plain, **changes)


@pytest.mark.parametrize(("name", "frames"), [("GIF", 3), ("WEBP", 3), ("PNG", 3), ("MPO", 1)])
def test_animation_frames_are_counted(name: str, frames: int) -> None:
    first, *others = [Image.new("RGB", (20, 10), colour) for colour in (RED, GREEN, BLUE)]
    data = encode_picture(first, name, save_all=True, append_images=others)
    assert inspect(data).frames == frames
    assert near(decode_picture(resize(data, GENERIC).data).getpixel((10, 5)), RED)


@pytest.mark.parametrize(
    "data", [b"", b"<html></html>", b"%PDF-1.7", b"BM", b"\x00" * 100, b"GIF", b"ID3\x04" + b"\x00" * 50]
)
def test_bytes_that_are_not_a_picture_are_refused(data: bytes) -> None:
    with pytest.raises(NotAnImage, match="not a JPEG, PNG, GIF, WebP, HEIC, AVIF or BMP picture"):
        inspect(data)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF", "HEIF"])
@pytest.mark.parametrize("part", [0.5, 0.98])
def test_truncated_picture_is_corrupted(name: str, part: float) -> None:
    data = encode_picture(make_photo(200, 150), name)
    cut = data[: int(len(data) * part)]
    with pytest.raises(ImageCorrupted, match="the picture is damaged or incomplete"):
        inspect(cut)
    with pytest.raises(ImageCorrupted):
        resize(cut, Recipe(100, 100, 50_000, "image/jpeg"))


@pytest.mark.parametrize("data", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a\x01"])
def test_bare_signature_is_corrupted(data: bytes) -> None:
    with pytest.raises(ImageCorrupted):
        inspect(data)


@pytest.mark.filterwarnings("ignore")  # as in a worker, where warnings are not errors
@given(st.data())
@settings(deadline=None, max_examples=80)
def test_damaged_bytes_raise_only_image_errors(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF", "HEIF"]))
    picture = bytearray(encode_picture(make_photo(24, 16), name))
    for _ in range(data.draw(st.integers(1, 8))):
        picture[data.draw(st.integers(0, len(picture) - 1))] = data.draw(st.integers(0, 255))
    for use in (inspect, lambda damaged: resize(damaged, Recipe(16, 16, 2_000, "image/jpeg"))):
        with suppress(ImageError):
            use(bytes(picture))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (png_header(8_000, 8_000), "8,000 x 8,000 pixels; at most 50,000,000 are allowed"),
        (png_header(10_000, 10_000), "far too many pixels"),
        (png_header(60_000, 60_000), "far too many pixels"),
        (gif_header(9_000, 9_000), "at most 50,000,000"),
        (encode_picture(Image.new("L", (4_100, 4_000)), "WEBP", method=0), "at most 16,000,000"),
    ],
    ids=["png", "png-beyond-pillow-warns", "png-beyond-pillow-refuses", "gif", "webp"],
)
def test_too_many_pixels_are_refused_before_decoding(data: bytes, message: str) -> None:
    # Only headers, without pixels: decoding them would raise ImageCorrupted instead.
    for use in (inspect, lambda bomb: resize(bomb, GENERIC)):
        with pytest.raises(ImageTooLarge, match=message):
            use(data)


def test_too_many_frames_are_refused() -> None:
    header = struct.pack("<6sHHBBB6s", b"GIF89a", 1, 1, 0x80, 0, 0, b"\0\0\0\xff\xff\xff")
    frame = bytes.fromhex("21f904000a000000" + "2c00000000010001000002024401003b"[:-2])
    with pytest.raises(ImageTooLarge, match="the animation has 1,001 frames; at most 1,000 are allowed"):
        inspect(header + frame * 1_001 + b";")
    assert inspect(header + frame * 1_000 + b";").frames == 1_000


def test_twelve_megapixels_fit_a_generic_handset(twelve_megapixels: bytes) -> None:
    picture = resize(twelve_megapixels, GENERIC)
    shown = decode_picture(picture.data)
    assert (picture.width, picture.height) == shown.size == (640, 480)
    assert 90_000 < len(picture.data) <= 100_000
    assert picture.quality is not None
    assert picture.quality > 60
    assert picture.mime_type == "image/jpeg"
    assert not picture.smaller_box


@pytest.mark.parametrize("orientation", range(1, 9))
def test_resized_picture_is_upright(orientation: int) -> None:
    width, height = (80, 120) if orientation < 5 else (120, 80)
    stored = with_corners(width, height, *CORNERS[orientation])
    data = encode_picture(stored, "JPEG", quality=95, exif=exif_with(orientation))
    assert inspect(data).orientation == orientation
    shown = decode_picture(resize(data, Recipe(60, 40, 50_000, "image/jpeg")).data)
    assert shown.size == (40, 60)
    corners = [shown.getpixel(xy) for xy in ((3, 3), (36, 3), (3, 56), (36, 56))]
    assert all(near(seen, wanted, 40) for seen, wanted in zip(corners, (RED, GREEN, WHITE, WHITE), strict=True))


@pytest.mark.parametrize("max_bytes", [8_000, 12_345, 20_000, 30_000])
def test_quality_is_the_highest_that_fits(max_bytes: int) -> None:
    original = make_photo(320, 240)
    picture = resize(encode_picture(original, "PNG"), Recipe(320, 240, max_bytes, "image/jpeg"))
    assert picture.quality is not None
    options = {"optimize": True, "subsampling": "4:2:0"}
    assert picture.data == encode_picture(original, "JPEG", quality=picture.quality, **options)
    assert len(encode_picture(original, "JPEG", quality=picture.quality + 1, **options)) > max_bytes


def test_quality_never_exceeds_95() -> None:
    assert resize(encode_picture(make_photo(64, 48), "PNG"), GENERIC).quality == 95


def test_ssim_falls_with_quality() -> None:
    data = encode_picture(make_photo(320, 240), "PNG")
    similarities = [resize(data, Recipe(320, 240, size, "image/jpeg")).ssim for size in (80_000, 20_000, 9_000)]
    assert similarities[0] > 0.95
    assert similarities[0] > similarities[1] > similarities[2] > 0.3


def test_picture_shrinks_if_no_quality_fits() -> None:
    picture = resize(encode_picture(make_photo(640, 480), "PNG"), Recipe(640, 480, 8_000, "image/jpeg"))
    assert picture.smaller_box
    assert 128 < picture.width < 640
    assert abs(picture.width / picture.height - 4 / 3) < 0.02
    assert len(picture.data) <= 8_000


@pytest.mark.parametrize("mime_type", ["image/jpeg", "image/png", "image/gif"])
def test_unattainable_byte_limit_raises_does_not_fit(mime_type: str) -> None:
    with pytest.raises(DoesNotFit, match="does not fit into 700 bytes, even at the smallest size"):
        resize(encode_picture(make_photo(640, 480), "PNG"), Recipe(640, 480, 700, mime_type))


def test_pictures_are_never_enlarged() -> None:
    picture = resize(encode_picture(make_photo(20, 10), "PNG"), GENERIC)
    assert (picture.width, picture.height, picture.smaller_box) == (20, 10, False)


def test_jpeg_is_baseline_without_metadata() -> None:
    original = encode_picture(
        make_photo(64, 48),
        "JPEG",
        progressive=True,
        exif=exif_with(3),
        comment=b"secret",
        icc_profile=srgb(),
        dpi=(9, 9),
    )
    result = decode_picture(resize(original, GENERIC).data)
    assert {"exif", "icc_profile", "comment", "progressive", "progression"}.isdisjoint(result.info)


def test_png_has_no_metadata() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "secret")
    original = encode_picture(make_photo(64, 48), "PNG", pnginfo=texts, icc_profile=srgb(), exif=exif_with(1))
    assert decode_picture(resize(original, Recipe(64, 48, 50_000, "image/png")).data).info == {}


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGBA", (40, 30), (0, 0, 254, 0)),
        Image.new("LA", (40, 30), (0, 0)),
        Image.new("P", (40, 30), 0),
    ],
    ids=["rgba", "grey-alpha", "palette"],
)
@pytest.mark.parametrize("enlarged", [1, 50])
def test_transparent_pixels_become_white_in_jpeg(image: Image.Image, enlarged: int) -> None:
    large = image.resize((image.width * enlarged, image.height * enlarged))
    data = encode_picture(large, "PNG", **({"transparency": 0} if image.mode == "P" else {}))
    assert near(decode_picture(resize(data, GENERIC).data).getpixel((20, 15)), WHITE, 1)


def test_transparent_pixels_stay_transparent_in_png() -> None:
    half = Image.new("RGBA", (40, 30), (0, 0, 255, 128))
    shown = decode_picture(resize(encode_picture(half, "PNG"), Recipe(20, 15, 5_000, "image/png")).data)
    assert shown.mode == "RGBA"
    assert shown.getpixel((10, 7)) == (0, 0, 255, 128)


def test_colours_do_not_bleed_from_transparent_pixels() -> None:
    image = Image.new("RGBA", (2_000, 1_000), (0, 0, 0, 0))
    image.paste((254, 0, 0, 255), (0, 0, 1_003, 1_000))
    shown = decode_picture(resize(encode_picture(image, "PNG"), Recipe(200, 100, 50_000, "image/png")).data)
    red, green, blue, alpha = shown.getpixel((100, 50))  # type: ignore[misc]
    assert 0 < alpha < 255
    assert near((red, green, blue), RED, 4)


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    data = encode_picture(Image.new("I;16", (40, 30), 32_768), "PNG")
    assert near(decode_picture(resize(data, GENERIC).data).getpixel((20, 15)), (128, 128, 128), 2)


def test_cmyk_is_converted_to_rgb() -> None:
    data = encode_picture(Image.new("CMYK", (640, 480), (0, 255, 255, 0)), "JPEG", quality=95)
    shown = decode_picture(resize(data, GENERIC).data)
    assert shown.mode == "RGB"
    assert near(shown.getpixel((320, 240)), RED)


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_primaries() -> bytes:
    """Return a profile that swaps red and green."""
    return srgb().replace(b"rXYZ", b"____").replace(b"gXYZ", b"rXYZ").replace(b"____", b"gXYZ")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_are_converted_from_their_profile(mode: str) -> None:
    image = Image.new("RGB", (40, 30), (254, 0, 0)).convert(mode)
    data = encode_picture(image, "PNG", icc_profile=swapped_primaries())
    assert near(decode_picture(resize(data, GENERIC).data).getpixel((20, 15)), (0, 254, 0))


@pytest.mark.parametrize("profile", [b"no profile", srgb()[:200]])
def test_broken_profile_is_ignored(profile: bytes) -> None:
    data = encode_picture(Image.new("RGB", (40, 30), RED), "PNG", icc_profile=profile)
    assert near(decode_picture(resize(data, GENERIC).data).getpixel((20, 15)), RED)


def test_profile_for_another_colour_model_is_ignored() -> None:
    data = encode_picture(Image.new("L", (40, 30), 100), "PNG", icc_profile=srgb())
    assert near(decode_picture(resize(data, GENERIC).data).getpixel((20, 15)), (100, 100, 100))


def test_gif_is_encoded_within_the_byte_limit() -> None:
    picture = resize(encode_picture(make_photo(320, 240), "PNG"), Recipe(160, 120, 30_000, "image/gif"))
    assert picture.data.startswith(b"GIF8")
    assert len(picture.data) <= 30_000
    assert picture.quality is None


sides = st.integers(1, 300)


@given(
    width=sides,
    height=sides,
    box_width=sides,
    box_height=sides,
    max_bytes=st.integers(300, 20_000),
    mime_type=st.sampled_from(["image/jpeg", "image/png", "image/gif"]),
    orientation=st.integers(1, 8),
)
@settings(deadline=None, max_examples=60)
def test_resized_picture_never_exceeds_its_recipe(
    width: int, height: int, box_width: int, box_height: int, max_bytes: int, mime_type: str, orientation: int
) -> None:
    data = encode_picture(make_photo(300, 300).crop((0, 0, width, height)), "PNG", exif=exif_with(orientation))
    try:
        picture = resize(data, Recipe(box_width, box_height, max_bytes, mime_type))
    except DoesNotFit:
        return
    with Image.open(BytesIO(picture.data)) as shown:
        assert shown.size == (picture.width, picture.height)
        assert Image.MIME[shown.format or ""] == mime_type
    assert len(picture.data) <= max_bytes
    assert fits(picture.width, picture.height, box_width, box_height)
    assert picture.ssim <= 1.001
