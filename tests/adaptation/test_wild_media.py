"""What FFmpeg's own libraries decode is recognised and encoded, and for as long as it plays."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import av
import pytest
from PIL import Image, ImageCms

from mms.adaptation import images
from mms.adaptation.content import Kind
from mms.adaptation.plan import Recipe
from mms.adaptation.recognition import recognise
from mms.adaptation.transcoding import encode
from tests.adaptation.pictures import encode_picture
from tests.adaptation.wild_clips import AUDIOS, NOISE, VIDEOS, decode_plainly

FILES = [(name, Kind.AUDIO) for name in AUDIOS] + [(name, Kind.VIDEO) for name in VIDEOS]


def sounding_seconds(file: Path) -> float:
    with av.open(str(file)) as read:
        return sum(frame.samples / frame.sample_rate for frame in read.decode(audio=0))


@pytest.mark.parametrize(("name", "kind"), FILES, ids=[name for name, _ in FILES])
def test_wild_file_is_encoded_whole(name: str, kind: Kind, tmp_path: Path) -> None:
    data = (AUDIOS | VIDEOS)[name]()
    played = decode_plainly(data, kind)
    assert played > 0.5, "FFmpeg itself decodes nothing of it"
    source = recognise(data)
    assert source is not None
    assert source.kind is kind
    (tmp_path / "source").write_bytes(data)
    encoded = encode(tmp_path / "source", kind, tmp_path)
    assert len(encoded) == 2
    for variant in encoded:
        assert variant.seconds == pytest.approx(played, abs=1)
        if kind is Kind.AUDIO:
            assert sounding_seconds(variant.file) == pytest.approx(played, abs=0.2)


def png_with(*chunks: tuple[bytes, bytes], wrong_crc: bool = False) -> bytes:
    """Return a PNG with further chunks after its header."""
    data = encode_picture(Image.new("RGB", (40, 30), "green"), "PNG")
    extra = b"".join(
        struct.pack(">I", len(value)) + name + value + struct.pack(">I", zlib.crc32(name + value) ^ wrong_crc)
        for name, value in chunks
    )
    return data[:33] + extra + data[33:]


LONG_TEXT = zlib.compress(b"x" * 1_200_000)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
PICTURES = {
    "1.2 MB of packed text": png_with((b"zTXt", b"note\0\0" + LONG_TEXT)),
    "international text": png_with((b"iTXt", b"note\0\1\0\0\0" + LONG_TEXT)),
    "70 texts": png_with(*[(b"zTXt", b"note\0\0" + zlib.compress(bytes(1_000_000)))] * 70),
    "a text with a wrong checksum": png_with((b"tEXt", b"note\0hello"), wrong_crc=True),
    "a profile of 3 MB": png_with((b"iCCP", b"p\0\0" + zlib.compress(PROFILE + bytes(3_000_000)))),
    "a damaged profile": png_with((b"iCCP", b"p\0\0" + NOISE)),
    "unknown private chunks": png_with((b"prVt", NOISE * 100)),
    "a JPEG with a large profile": encode_picture(Image.new("RGB", (40, 30), "green"), "JPEG", icc_profile=NOISE * 100),
    "a JPEG with a long comment": encode_picture(Image.new("RGB", (40, 30), "green"), "JPEG", comment=NOISE * 13),
    "a stale XMP orientation": encode_picture(Image.new("RGB", (40, 30), "green"), "JPEG", xmp=XMP),
    "a GIF with a long comment": encode_picture(Image.new("P", (40, 30)), "GIF", comment=NOISE * 40),
}


@pytest.mark.parametrize("name", PICTURES)
def test_picture_with_large_blocks_is_read(name: str) -> None:
    source = images.inspect(PICTURES[name])
    assert (source.width, source.height, source.orientation) == (40, 30, 1)
    made = images.resize(PICTURES[name], Recipe(40, 30, 50_000, "image/jpeg"))
    assert Image.open(BytesIO(made.data)).size == (40, 30)
