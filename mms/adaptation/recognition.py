"""Recognition of audio, video and objects by their signatures. Nothing is decoded, no codec runs.

Pictures are recognised by decoding them, in images.py.
"""

import hashlib
import re
import zipfile
from io import BytesIO

from mms.adaptation.content import Kind, Source

# First and last lines of a vCard (RFC 6350, 3) and of an iCalendar object (RFC 5545, 3.4).
VCARD = re.compile(rb"(?:\xef\xbb\xbf)?\s*BEGIN:VCARD\b.*\bEND:VCARD\s*\Z", re.DOTALL | re.IGNORECASE)
ICAL = re.compile(rb"(?:\xef\xbb\xbf)?\s*BEGIN:VCALENDAR\b.*\bEND:VCALENDAR\s*\Z", re.DOTALL | re.IGNORECASE)
# ISO/IEC 32000-1, annex H: readers look for the header in the first 1024 bytes.
PDF_HEADER_WITHIN = 1024

# ISO/IEC 11172-3, 2.4.2.3: eleven bits of sync, a version that is not reserved, layer III; ADTS has layer 0.
MP3 = re.compile(rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")
ADTS = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")
# A program stream, a video sequence, or a transport stream (two sync bytes one packet apart).
MPEG = re.compile(rb"\x00\x00\x01[\xba\xb3]|\x47.{187}\x47", re.DOTALL)
# ISO/IEC 14496-12, 8.4.3: the handler of each track gives its type.
HANDLER = re.compile(rb"hdlr.{8}(vide|soun)", re.DOTALL)
# Advanced Systems Format, 10.1 and 10.2: the header object, and the stream type "video media".
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_VIDEO = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
EBML = b"\x1a\x45\xdf\xa3"
WEBM_VIDEO = re.compile(rb"V_(?:VP8|VP9|AV1)")


def recognise(data: bytes) -> Source | None:
    """Return the audio, video or object in `data`, or None if its type is not supported."""
    found = _recognise_audio_or_video(data) or _recognise_object(data)
    if found is None:
        return None
    kind, mime_type = found
    return Source(hashlib.sha256(data).hexdigest(), kind, mime_type, len(data))


def _recognise_audio_or_video(data: bytes) -> tuple[Kind, str] | None:
    if data[4:8] in {b"ftyp", b"moov", b"wide", b"mdat"}:
        return _recognise_iso_media(data)
    if data.startswith(ASF):
        return (Kind.VIDEO, "video/x-ms-wmv") if ASF_VIDEO in data else None
    if data.startswith(EBML):
        return (Kind.VIDEO, "video/webm") if WEBM_VIDEO.search(data) else None
    return _recognise_audio(data) or _recognise_video(data)


def _recognise_iso_media(data: bytes) -> tuple[Kind, str] | None:
    """Recognise MP4, M4A, 3GP and QuickTime; a file with a video track is a video."""
    handlers = set(HANDLER.findall(data))
    if b"vide" in handlers:
        return Kind.VIDEO, {b"3g": "video/3gpp", b"qt": "video/quicktime"}.get(_brand(data), "video/mp4")
    if b"soun" in handlers:
        return Kind.AUDIO, "audio/3gpp" if _brand(data) == b"3g" else "audio/mp4"
    return None


def _brand(data: bytes) -> bytes:
    """Return the first two letters of the major brand. Old QuickTime files have no brand."""
    return data[8:10] if data[4:8] == b"ftyp" else b"qt"


def _recognise_audio(data: bytes) -> tuple[Kind, str] | None:
    for prefix, mime_type in ((b"#!AMR\n", "audio/amr"), (b"#!AMR-WB\n", "audio/amr-wb"), (b"OggS", "audio/ogg")):
        if data.startswith(prefix):
            return Kind.AUDIO, mime_type
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return Kind.AUDIO, "audio/wav"
    if MP3.match(data):
        return Kind.AUDIO, "audio/mpeg"
    return (Kind.AUDIO, "audio/aac") if ADTS.match(data) else None


def _recognise_video(data: bytes) -> tuple[Kind, str] | None:
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return Kind.VIDEO, "video/x-msvideo"
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
