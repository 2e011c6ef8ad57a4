import zipfile
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mms.adaptation.content import Kind
from mms.adaptation.recognition import recognise
from tests.adaptation.clips import film, sound


def pass_file(*names: str) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "{}")
    return file.getvalue()


FILES: list[tuple[bytes, Kind, str]] = [
    (sound("mp3", "mp3"), Kind.AUDIO, "audio/mpeg"),
    (sound("wav", "pcm_s16le"), Kind.AUDIO, "audio/wav"),
    (sound("amr", "libopencore_amrnb", rate=8_000), Kind.AUDIO, "audio/amr"),
    (sound("adts", "aac"), Kind.AUDIO, "audio/aac"),
    (sound("ipod", "aac"), Kind.AUDIO, "audio/mp4"),
    (sound("mp4", "aac"), Kind.AUDIO, "audio/mp4"),
    (sound("3gp", "aac"), Kind.AUDIO, "audio/3gpp"),
    (sound("ogg", "libopus", rate=48_000), Kind.AUDIO, "audio/ogg"),
    (film("mp4"), Kind.VIDEO, "video/mp4"),
    (film("mov"), Kind.VIDEO, "video/quicktime"),
    (film("3gp", "mpeg4"), Kind.VIDEO, "video/3gpp"),
    (film("avi", "mpeg4", "mp3"), Kind.VIDEO, "video/x-msvideo"),
    (film("asf", "wmv2", "wmav2"), Kind.VIDEO, "video/x-ms-wmv"),
    (film("mpeg", "mpeg1video", "mp2"), Kind.VIDEO, "video/mpeg"),
    (film("mpegts"), Kind.VIDEO, "video/mpeg"),
    (film("webm", "libvpx", ""), Kind.VIDEO, "video/webm"),
    (b"\xef\xbb\xbf\r\nbegin:vcard\r\nFN:Ann\r\nEND:VCARD\r\n", Kind.OBJECT, "text/x-vcard"),
    (b"BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR", Kind.OBJECT, "text/calendar"),
    (b"%PDF-1.7\n%%EOF", Kind.OBJECT, "application/pdf"),
    (pass_file("pass.json", "manifest.json", "signature"), Kind.OBJECT, "application/vnd.apple.pkpass"),
]


@pytest.mark.parametrize(("data", "kind", "mime_type"), FILES, ids=[mime_type for *_, mime_type in FILES])
def test_a_file_is_what_its_bytes_are(data: bytes, kind: Kind, mime_type: str) -> None:
    source = recognise(data)
    assert source is not None
    assert (source.kind, source.mime_type, source.size) == (kind, mime_type, len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Hello",
        b"\xff\xfeH\x00i\x00",  # a text in UTF-16
        b"\xff\xd8\xff\xe0",
        b"BEGIN:VCARD\r\nFN:Ann\r\n",
        b"PK\x03\x04 and no archive",
        pass_file("pass.json"),
        sound("asf", "wmav2"),
        b"\x1a\x45\xdf\xa3 without a video",
    ],
)
def test_what_is_no_audio_video_or_object_that_is_taken(data: bytes) -> None:
    assert recognise(data) is None


@given(st.binary(), st.sampled_from([data[:200] for data, *_ in FILES]))
def test_no_bytes_are_too_much(tail: bytes, head: bytes) -> None:
    recognise(tail)
    recognise(head + tail)
