"""How a picture or sound is coded, as far as a handset that takes its type may yet fail to decode it.

The MIME type tells the format alone. A profile lists the codings below that its handsets decode; originals in others
are made anew. Pure: bytes are read, nothing is decoded. MP4 and 3GP are absent because their originals are never sent.
"""

import re
from collections.abc import Iterator
from typing import Final

# In the words of the sentences for customers.
CODINGS: Final = (
    "progressive JPEG",
    "arithmetic JPEG",
    "lossless JPEG",
    "12-bit JPEG",
    "RGB JPEG",
    "multi-picture JPEG",
    "PNG with transparency",
    "16-bit PNG",
    "interlaced PNG",
    "interlaced GIF",
    "irregular MP3",
    "irregular AMR",
)
# The second byte of the markers without a length (ITU-T T.81, table B.1), and the start of scan.
BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
SCAN = 0xDA
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Bit rates in kbit/s of layer III for MPEG-1 and MPEG-2 (ISO/IEC 11172-3, 2.4.2.3; 13818-3, 2.4.2.3).
MP3_RATES = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
SAMPLE_RATES = (44_100, 48_000, 32_000)
MP3_END = re.compile(rb"\Z|\x00|TAG|APETAGEX|LYRICSBEGIN")
# Bytes of a frame after its header, by frame type (RFC 4867, 5.3; 3GPP TS 26.101).
AMR_SIZES = {0: 12, 1: 13, 2: 15, 3: 17, 4: 19, 5: 20, 6: 26, 7: 31, 8: 5, 15: 0}


def codings(data: bytes, mime_type: str) -> frozenset[str]:
    """Return those of CODINGS that the file has."""
    reader = {
        "image/jpeg": _jpeg,
        "image/png": _png,
        "image/gif": _gif,
        "audio/mpeg": _mp3,
        "audio/amr": _amr,
    }.get(mime_type)
    try:
        return frozenset(reader(data)) if reader else frozenset()
    except IndexError:  # it is cut
        return frozenset()


def _jpeg(data: bytes) -> Iterator[str]:
    for marker, body in _jpeg_segments(data):
        if marker in FRAMES:
            yield from _jpeg_frame(marker, body)
        if marker == 0xE2 and body.startswith(b"MPF\0"):
            yield "multi-picture JPEG"
        if marker == 0xEE and body.startswith(b"Adobe") and body[11:12] == b"\0" and _components(data) == 3:
            yield "RGB JPEG"


def _jpeg_frame(marker: int, body: bytes) -> Iterator[str]:
    """Yield the codings that the frame's header tells (ITU-T T.81, B.2.2)."""
    if marker & 3 == 2:
        yield "progressive JPEG"
    if marker & 3 == 3:
        yield "lossless JPEG"
    if marker > 0xC8:
        yield "arithmetic JPEG"
    if body[0] != 8:
        yield "12-bit JPEG"


def _components(data: bytes) -> int:
    return next((body[5] for marker, body in _jpeg_segments(data) if marker in FRAMES), 0)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the markers before the first scan, with what follows their length."""
    at = 2
    while at + 4 <= len(data):
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in BARE_MARKERS:
            at += 2
        elif marker == SCAN:
            return
        else:
            size = int.from_bytes(data[at + 2 : at + 4])
            yield marker, data[at + 4 : at + 2 + size]
            at += 2 + size


def _png(data: bytes) -> Iterator[str]:
    """Yield what the header tells (ISO/IEC 15948, 11.2.2)."""
    depth, colour, interlaced = data[24], data[25], data[28]
    if colour in {4, 6} or b"tRNS" in data[: data.find(b"IDAT")]:
        yield "PNG with transparency"
    if depth == 16:
        yield "16-bit PNG"
    if interlaced:
        yield "interlaced PNG"


def _gif(data: bytes) -> Iterator[str]:
    """Yield what the first image descriptor tells (GIF89a, 20)."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while data[at] == 0x21:  # an extension: sub-blocks up to an empty one
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    if data[at] == 0x2C and data[at + 9] & 0x40:
        yield "interlaced GIF"


def _mp3(data: bytes) -> Iterator[str]:
    """Yield whether it is more than frames of one form: layer, version, sample rate and mono or not."""
    at, forms = 0, set()
    while data[at : at + 3] == b"ID3":
        at += 10 + sum((byte & 0x7F) << shift for byte, shift in zip(data[at + 6 : at + 10], (21, 14, 7, 0)))  # noqa: B905 - cut
    while (size := _mp3_frame_size(data[at : at + 4])) and at + size <= len(data):
        forms.add((data[at + 1] & 0xFE, data[at + 2] & 0x0C, data[at + 3] & 0xC0 == 0xC0))
        at += size
    whole = MP3_END.match(data, at) or _mp3_frame_size(data[at : at + 4])
    if len(forms) != 1 or not whole:
        yield "irregular MP3"


def _mp3_frame_size(header: bytes) -> int:
    """Return the bytes of a frame of layer III of MPEG-1 or MPEG-2, or 0 if it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xF6 != 0xF2:
        return 0
    first, rate, sampled = bool(header[1] & 0x08), header[2] >> 4, header[2] >> 2 & 3
    if rate in {0, 15} or sampled == 3:
        return 0
    samples = SAMPLE_RATES[sampled] // (1 if first else 2)
    return (144 if first else 72) * MP3_RATES[not first][rate] * 1000 // samples + (header[2] >> 1 & 1)


def _amr(data: bytes) -> Iterator[str]:
    at = 6
    while at < len(data) and (data[at] >> 3 & 15) in AMR_SIZES and not data[at] & 0x83:
        at += 1 + AMR_SIZES[data[at] >> 3 & 15]
    if at < len(data):
        yield "irregular AMR"
