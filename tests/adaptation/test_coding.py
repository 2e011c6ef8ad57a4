"""How a file is coded is recognised, and an original goes out only to handsets that decode it."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from mms.adaptation import images
from mms.adaptation.coding import CODINGS, codings
from mms.adaptation.content import Content, Kind, SlideContent
from mms.adaptation.plan import Keep, Plan, Resize, plan
from mms.adaptation.recognition import recognise
from tests.adaptation.clips import make_audio, make_video
from tests.adaptation.pictures import content, encode_picture, limits, photo
from tests.adaptation.wild_clips import JOINED, id3, make_sound

GREY = Image.linear_gradient("L").resize((64, 48))
RGB = GREY.convert("RGB")
RGBA = RGB.copy()
RGBA.putalpha(GREY)
TYPES = frozenset({"image/jpeg", "image/png", "image/gif"})


def jpeg(marker: int = 0xC0, precision: int = 8) -> bytes:
    """Return a baseline JPEG with another start of frame."""
    data = encode_picture(RGB, "JPEG")
    at = data.index(b"\xff\xc0\x00\x11\x08")
    return data[: at + 1] + bytes([marker]) + data[at + 2 : at + 4] + bytes([precision]) + data[at + 5 :]


def mpo() -> bytes:
    file = BytesIO()
    RGB.save(file, "MPO", save_all=True, append_images=[RGB])
    return file.getvalue()


def interlaced(data: bytes) -> bytes:
    """Return the PNG with the mark of Adam7 in its header."""
    return data[:28] + b"\x01" + data[29:]


PICTURES: list[tuple[bytes, str, set[str]]] = [
    (encode_picture(RGB, "JPEG"), "image/jpeg", set()),
    (encode_picture(GREY, "JPEG"), "image/jpeg", set()),
    (encode_picture(RGB, "JPEG", progressive=True), "image/jpeg", {"progressive JPEG"}),
    (encode_picture(RGB, "JPEG", keep_rgb=True), "image/jpeg", {"RGB JPEG"}),
    (mpo(), "image/jpeg", {"multi-picture JPEG"}),
    (jpeg(0xC1, 12), "image/jpeg", {"12-bit JPEG"}),
    (jpeg(0xC9), "image/jpeg", {"arithmetic JPEG"}),
    (jpeg(0xCA), "image/jpeg", {"arithmetic JPEG", "progressive JPEG"}),
    (jpeg(0xC3), "image/jpeg", {"lossless JPEG"}),
    (encode_picture(RGB, "PNG"), "image/png", set()),
    (encode_picture(RGBA, "PNG"), "image/png", {"PNG with transparency"}),
    (encode_picture(RGBA.convert("LA"), "PNG"), "image/png", {"PNG with transparency"}),
    (encode_picture(GREY.convert("P"), "PNG", transparency=3), "image/png", {"PNG with transparency"}),
    (encode_picture(GREY.convert("I;16"), "PNG"), "image/png", {"16-bit PNG"}),
    (interlaced(encode_picture(RGB, "PNG")), "image/png", {"interlaced PNG"}),
    (encode_picture(GREY.convert("P"), "GIF", interlace=0), "image/gif", set()),
    (encode_picture(GREY.convert("P"), "GIF", interlace=1), "image/gif", {"interlaced GIF"}),
    (encode_picture(GREY.convert("P"), "GIF", interlace=1, comment=b"x" * 900), "image/gif", {"interlaced GIF"}),
]
SOUNDS: list[tuple[bytes, str, set[str]]] = [
    (make_audio("mp3", "mp3"), "audio/mpeg", set()),
    (make_sound("mp3", "mp3", layout="stereo"), "audio/mpeg", set()),
    (make_audio("mp3", "mp3") + b"TAG" + bytes(125), "audio/mpeg", set()),
    (make_audio("mp3", "mp3", rate=8_000), "audio/mpeg", {"irregular MP3"}),  # MPEG-2.5
    (JOINED["mp3 of two rates"](), "audio/mpeg", {"irregular MP3"}),
    (JOINED["mp3 with tags between"](), "audio/mpeg", {"irregular MP3"}),
    (make_sound("mp2", "mp2"), "audio/mpeg", {"irregular MP3"}),
    (id3((b"TIT2", b"\0a")) + b"\xff" * 300, "audio/mpeg", {"irregular MP3"}),
    (make_audio("amr", "libopencore_amrnb", rate=8_000), "audio/amr", set()),
    (JOINED["amr with a second header"](), "audio/amr", {"irregular AMR"}),
]


@pytest.mark.parametrize(("data", "mime_type", "expected"), PICTURES + SOUNDS)
def test_coding_is_recognised(data: bytes, mime_type: str, expected: set[str]) -> None:
    assert codings(data, mime_type) == expected
    assert expected <= set(CODINGS)


@pytest.mark.parametrize(("data", "mime_type", "expected"), PICTURES + SOUNDS)
def test_cut_file_has_codings_without_error(data: bytes, mime_type: str, expected: set[str]) -> None:
    for size in range(min(700, len(data))):
        assert codings(data[:size], mime_type) <= set(CODINGS)


def planned(source: Any, **changes: Any) -> Keep | Resize:
    result = plan(content(("", source)), limits(mime_types=TYPES, **changes))
    assert isinstance(result, Plan)
    return result.slides[0].images[0]


@pytest.mark.parametrize(("data", "mime_type"), [(data, name) for data, name, expected in PICTURES if expected])
def test_special_coding_is_sent_only_where_decoded(data: bytes, mime_type: str) -> None:
    try:
        source = images.inspect(data)
    except images.ImageCorrupted:  # of those whose header alone was changed
        source = photo(mime_type=mime_type, coding=codings(data, mime_type))
    assert isinstance(planned(source), Resize)
    assert isinstance(planned(source, decodes=frozenset(CODINGS)), Keep)


def test_plain_and_unrecorded_codings_are_told_apart() -> None:
    assert isinstance(planned(photo()), Keep)
    assert isinstance(planned(photo(coding=None), decodes=frozenset(CODINGS)), Resize)


@pytest.mark.parametrize("data", [make_video("mp4"), make_audio("ipod", "aac"), make_audio("adts", "aac")])
def test_original_of_many_codecs_is_never_sent(data: bytes) -> None:
    source = recognise(data)
    assert source is not None
    message = Content("", (SlideContent(5, "hi", (source,)),))
    result = plan(message, limits(mime_types=frozenset({source.mime_type, "audio/aac"}), decodes=frozenset(CODINGS)))
    assert isinstance(result, Plan)
    assert result.slides[0].attachments == ()
    assert source.kind in {Kind.AUDIO, Kind.VIDEO}
