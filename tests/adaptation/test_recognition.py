import zipfile
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mms.adaptation.content import Kind
from mms.adaptation.recognition import recognise
from tests.adaptation.clips import make_audio, make_video


def pass_file(*names: str) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "{}")
    return file.getvalue()


FILES: list[tuple[bytes, Kind, str]] = [
    (make_audio("mp3", "mp3"), Kind.AUDIO, "audio/mpeg"),
    (make_audio("wav", "pcm_s16le"), Kind.AUDIO, "audio/wav"),
    (make_audio("amr", "libopencore_amrnb", rate=8_000), Kind.AUDIO, "audio/amr"),
    (make_audio("adts", "aac"), Kind.AUDIO, "audio/aac"),
    (make_audio("ipod", "aac"), Kind.AUDIO, "audio/mp4"),
    (make_audio("mp4", "aac"), Kind.AUDIO, "audio/mp4"),
    (make_audio("3gp", "aac"), Kind.AUDIO, "audio/3gpp"),
    (make_audio("ogg", "libopus", rate=48_000), Kind.AUDIO, "audio/ogg"),
    (make_audio("asf", "wmav2"), Kind.AUDIO, "audio/x-ms-wma"),
    (make_audio("flac", "flac"), Kind.AUDIO, "audio/flac"),
    (make_audio("matroska", "flac"), Kind.AUDIO, "audio/x-matroska"),
    (make_video("mp4"), Kind.VIDEO, "video/mp4"),
    (make_video("mov"), Kind.VIDEO, "video/quicktime"),
    (make_video("3gp", "mpeg4"), Kind.VIDEO, "video/3gpp"),
    (make_video("avi", "mpeg4", "mp3"), Kind.VIDEO, "video/x-msvideo"),
    (make_video("asf", "wmv2", "wmav2"), Kind.VIDEO, "video/x-ms-wmv"),
    (make_video("mpeg", "mpeg1video", "mp2"), Kind.VIDEO, "video/mpeg"),
    (make_video("mpegts"), Kind.VIDEO, "video/mpeg"),
    (make_video("webm", "libvpx", ""), Kind.VIDEO, "video/webm"),
    (b"\xef\xbb\xbf\r\nbegin:vcard\r\nFN:Ann\r\nEND:VCARD\r\n", Kind.OBJECT, "text/x-vcard"),
    (b"BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR", Kind.OBJECT, "text/calendar"),
    (b"%PDF-1.7\n%%EOF", Kind.OBJECT, "application/pdf"),
    (pass_file("pass.json", "manifest.json", "signature"), Kind.OBJECT, "application/vnd.apple.pkpass"),
]


@pytest.mark.parametrize(("data", "kind", "mime_type"), FILES, ids=[mime_type for *_, mime_type in FILES])
def test_file_type_is_recognised_from_bytes(data: bytes, kind: Kind, mime_type: str) -> None:
    source = recognise(data)
    assert source is not None
    assert (source.kind, source.mime_type, source.size) == (kind, mime_type, len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Hello",
        b"\xff\xfeH\x00i\x00",  # text in UTF-16
        b"\xff\xd8\xff\xe0",
        b"BEGIN:VCARD\r\nFN:Ann\r\n",
        b"PK\x03\x04 and no archive",
        pass_file("pass.json"),
        b"\x1a\x45\xdf\xa3 without a video",
    ],
)
def test_unsupported_bytes_are_not_recognised(data: bytes) -> None:
    assert recognise(data) is None


@given(st.binary(), st.sampled_from([data[:200] for data, *_ in FILES]))
def test_arbitrary_bytes_never_raise(tail: bytes, head: bytes) -> None:
    recognise(tail)
    recognise(head + tail)
