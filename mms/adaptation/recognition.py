"""Recognition of audio, video and objects by their signatures. Nothing is decoded, no codec runs.

Pictures are recognised by decoding them, in images.py.
"""

import hashlib
import re
import zipfile
from io import BytesIO

from mms.adaptation.coding import codings
from mms.adaptation.content import Kind, Source

# First and last lines of a vCard (RFC 6350, 3) and of an iCalendar object (RFC 5545, 3.4).
VCARD = re.compile(rb"(?:\xef\xbb\xbf)?\s*BEGIN:VCARD\b.*\bEND:VCARD\s*\Z", re.DOTALL | re.IGNORECASE)
ICAL = re.compile(rb"(?:\xef\xbb\xbf)?\s*BEGIN:VCALENDAR\b.*\bEND:VCALENDAR\s*\Z", re.DOTALL | re.IGNORECASE)
# ISO/IEC 32000-1, annex H: readers look for the header in the first 1024 bytes.
PDF_HEADER_WITHIN = 1024

# ISO/IEC 11172-3, 2.4.2.3: eleven bits of sync, a version that is not reserved, layer III or II; ADTS has layer 0.
MP3 = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")
MP2 = re.compile(rb"\xff[\xf4\xf5\xfc\xfd]")
ADTS = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")
# A program stream, a video sequence, or a transport stream: packets of 188 bytes, with a time code (M2TS) of 192, after
# the rest of one that a recorder has cut.
MPEG = re.compile(rb"\x00\x00\x01[\xba\xb3]|.{0,192}?(?:\x47.{187}\x47.{187}\x47|\x47.{191}\x47.{191}\x47)", re.DOTALL)
AUDIO = (
    (re.compile(rb"#!AMR\n"), "audio/amr"),
    (re.compile(rb"#!AMR-WB\n"), "audio/amr-wb"),
    (re.compile(rb"OggS"), "audio/ogg"),
    (re.compile(rb"(?:RIFF|RIFX|RF64)....WAVE", re.DOTALL), "audio/wav"),
    (re.compile(rb"fLaC"), "audio/flac"),
    (re.compile(rb"FORM....AIF[FC]", re.DOTALL), "audio/aiff"),
    (re.compile(rb"caff\x00"), "audio/x-caf"),
    (re.compile(rb"\.snd"), "audio/basic"),
    (re.compile(rb"\x0b\x77"), "audio/ac3"),
    (MP3, "audio/mpeg"),
    (MP2, "audio/mpeg"),
    (ADTS, "audio/aac"),
)
# The first box of an ISO file or an old QuickTime file.
ISO_BOXES = frozenset({b"ftyp", b"moov", b"wide", b"mdat", b"free", b"skip", b"pnot", b"uuid"})
# ISO/IEC 14496-12, 8.4.3: the handler of each track gives its type.
HANDLER = re.compile(rb"hdlr.{8}(vide|soun)", re.DOTALL)
# Advanced Systems Format, 10.1 and 10.2: the header object, and the stream type "video media".
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_VIDEO = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
EBML = b"\x1a\x45\xdf\xa3"
WEBM_VIDEO = re.compile(rb"V_(?:VP8|VP9|AV1)")
MATROSKA = re.compile(rb"([VA])_[A-Z]")
MATROSKA_TRACKS_WITHIN = 65_536


def recognise(data: bytes) -> Source | None:
    """Return the audio, video or object in `data`, or None if its type is not supported."""
    found = _recognise_audio_or_video(data) or _recognise_object(data)
    if found is None:
        return None
    kind, mime_type = found
    return Source(hashlib.sha256(data).hexdigest(), kind, mime_type, len(data), coding=codings(data, mime_type))


def _recognise_audio_or_video(data: bytes) -> tuple[Kind, str] | None:
    if data[4:8] in ISO_BOXES:
        return _recognise_iso_media(data)
    if data.startswith(ASF):
        return (Kind.VIDEO, "video/x-ms-wmv") if ASF_VIDEO in data else (Kind.AUDIO, "audio/x-ms-wma")
    if data.startswith(EBML):
        return _recognise_matroska(data)
    return _recognise_audio(data) or _recognise_video(data)


def _recognise_matroska(data: bytes) -> tuple[Kind, str] | None:
    kinds = set(MATROSKA.findall(data[:MATROSKA_TRACKS_WITHIN]))
    if b"V" in kinds:
        return Kind.VIDEO, "video/webm" if WEBM_VIDEO.search(data) else "video/x-matroska"
    return (Kind.AUDIO, "audio/x-matroska") if kinds else None


def _recognise_iso_media(data: bytes) -> tuple[Kind, str] | None:
    """Recognise MP4, M4A, 3GP and QuickTime; a file with a video track is a video, unless it calls itself an M4A."""
    handlers = set(HANDLER.findall(data))
    if b"soun" in handlers and data[8:11] in {b"M4A", b"M4B"}:
        return Kind.AUDIO, "audio/mp4"  # the pictures of chapters are a video track
    if b"vide" in handlers:
        return Kind.VIDEO, {b"3g": "video/3gpp", b"qt": "video/quicktime"}.get(_brand(data), "video/mp4")
    if b"soun" in handlers:
        return Kind.AUDIO, "audio/3gpp" if _brand(data) == b"3g" else "audio/mp4"
    return None


def _brand(data: bytes) -> bytes:
    """Return the first two letters of the major brand. Old QuickTime files have no brand."""
    return data[8:10] if data[4:8] == b"ftyp" else b"qt"


def _recognise_audio(data: bytes) -> tuple[Kind, str] | None:
    sound = _after_tags(data)
    mime_type = next((mime_type for pattern, mime_type in AUDIO if pattern.match(sound)), None)
    if mime_type is None and (data.startswith(b"ID3") or MP3.match(_after_tags(data.lstrip(b"\x00")))):
        mime_type = "audio/mpeg"  # padding precedes it, or its tags are damaged
    return (Kind.AUDIO, mime_type) if mime_type else None


def _after_tags(data: bytes) -> bytes:
    """Return the bytes after the ID3 tags, which often precede MP3, AAC and FLAC (id3.org, ID3v2.4.0, 3.1)."""
    while data.startswith(b"ID3") and len(data) > 10:
        size = sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
        data = data[10 + size + (10 if data[5] & 0x10 else 0) :]
    return data


def _recognise_video(data: bytes) -> tuple[Kind, str] | None:
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return Kind.VIDEO, "video/x-msvideo"
    if data.startswith(b"FLV\x01"):
        return Kind.VIDEO, "video/x-flv"
    return (Kind.VIDEO, "video/mpeg") if MPEG.match(data) else None


def _recognise_object(data: bytes) -> tuple[Kind, str] | None:
    if VCARD.match(data):
        return Kind.OBJECT, "text/x-vcard"
    if ICAL.match(data):
        return Kind.OBJECT, "text/calendar"
    if b"%PDF-" in data[:PDF_HEADER_WITHIN]:
        return Kind.OBJECT, "application/pdf"
    return (Kind.OBJECT, "application/vnd.apple.pkpass") if _is_pass(data) else None


def _is_pass(data: bytes) -> bool:
    """Return whether it is a signed Apple Wallet pass: a ZIP of pass.json, manifest.json and signature."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return {"pass.json", "manifest.json", "signature"} <= set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
