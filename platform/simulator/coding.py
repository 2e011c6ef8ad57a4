"""What an old handset cannot decode of the types that it takes. Written apart from the platform's own recognition."""

from collections.abc import Iterator

from simulator.mime import Part

BASELINE_PROFILE, LEVEL_MAX = 66, 30  # H.264 (ITU-T H.264, A.2.1 and table A-1)
AAC_LC = 2


def beyond_baseline(part: Part) -> Iterator[str]:
    """Yield the reasons why an old handset fails to decode the part."""
    data = part.content
    if part.mime_type == "image/png" and len(data) > 28:
        if data[24] == 16 or data[28]:
            yield "the handset decodes no interlaced PNG, and none of 16 bits"
        if data[25] in {4, 6} or b"tRNS" in data[: data.find(b"IDAT")]:
            yield "the handset decodes no PNG with transparency"
    if b"MPF\0" in data[:4096] and part.mime_type == "image/jpeg":
        yield "the handset decodes no multi-picture JPEG"
    if part.mime_type == "audio/amr" and data.startswith(b"#!AMR-WB"):
        yield "the handset decodes only AMR-NB"
    if data[4:8] == b"ftyp":
        yield from _beyond_mp4_baseline(data)


def _beyond_mp4_baseline(data: bytes) -> Iterator[str]:
    avc = data.find(b"avcC")
    if avc > 0 and (data[avc + 5] != BASELINE_PROFILE or data[avc + 7] > LEVEL_MAX):
        yield "the handset decodes only H.264 baseline up to level 3.0"
    if (kind := _aac_object_type(data)) not in {None, AAC_LC}:
        yield f"the handset decodes only AAC-LC, not object type {kind}"
    if data.find(b"moov") > data.find(b"mdat") > 0 and b"3gp" not in data[8:11]:
        yield "the handset needs the index of an MP4 before its media"


def _aac_object_type(data: bytes) -> int | None:
    """Return the audio object type after the decoder configuration descriptor (ISO/IEC 14496-1, 7.2.6.6)."""
    sound = data.find(b"mp4a")
    esds = data.find(b"esds", sound) if sound > 0 else -1
    config = data.find(b"\x05", data.find(b"\x04", esds + 12) + 15) if esds > 0 else -1
    if config < 0:
        return None
    config += 1
    while data[config] & 0x80:
        config += 1
    return data[config + 1] >> 3
