"""The forms that audio and video are made in, read back with FFmpeg."""

from pathlib import Path
from typing import Any

import av
import pytest

from mms.adaptation.content import Kind
from mms.adaptation.transcoding import EncodedFile, TranscodingError, encode
from tests.adaptation.clips import film, sound


def made(data: bytes, kind: Kind, folder: Path) -> list[EncodedFile]:
    source = folder / "source"
    source.write_bytes(data)
    return encode(source, kind, folder)


def tracks(form: EncodedFile) -> list[Any]:
    """Codec and seconds of each track, as they can be decoded."""
    with av.open(str(form.file)) as read:
        found = []
        for stream in [*read.streams.video, *read.streams.audio]:
            read.seek(0)
            frames: list[Any] = list(read.decode(stream))
            found.append((stream.codec_context.name, round(frames[-1].time or 0.0, 1)))
        return found


@pytest.mark.parametrize(
    "data",
    [
        sound("mp3", "mp3"),
        sound("wav", "pcm_s16le"),
        sound("amr", "libopencore_amrnb", rate=8_000),
        sound("adts", "aac"),
        sound("ipod", "aac"),
        sound("ogg", "libopus", rate=48_000),
    ],
)
def test_audio_is_made_aac_and_amr(data: bytes, tmp_path: Path) -> None:
    aac, amr = made(data, Kind.AUDIO, tmp_path)
    assert (aac.output_format.mime_type, aac.seconds, amr.output_format.mime_type, amr.seconds) == (
        "audio/mp4",
        2,
        "audio/amr",
        2,
    )
    assert tracks(aac) == [("aac", pytest.approx(2, abs=0.15))]
    assert tracks(amr) == [("amrnb", pytest.approx(2, abs=0.15))]
    assert amr.file.read_bytes().startswith(b"#!AMR\n")
    assert amr.file.stat().st_size == pytest.approx(2 * 12_200 / 8, rel=0.1)


@pytest.mark.parametrize(
    "data",
    [
        film("mp4"),
        film("mov"),
        film("3gp", "mpeg4"),
        film("avi", "mpeg4", "mp3"),
        film("asf", "wmv2", "wmav2"),
        film("mpeg", "mpeg1video", "mp2"),
        film("mpegts"),
    ],
)
def test_video_is_made_h264_and_h263(data: bytes, tmp_path: Path) -> None:
    mp4, threegp = made(data, Kind.VIDEO, tmp_path)
    assert [form.output_format.mime_type for form in (mp4, threegp)] == ["video/mp4", "video/3gpp"]
    assert [form.seconds for form in (mp4, threegp)] == [2, 2]
    assert [(form.width, form.height) for form in (mp4, threegp)] == [(320, 240), (176, 144)]
    assert tracks(mp4) == [("h264", pytest.approx(2, abs=0.2)), ("aac", pytest.approx(2, abs=0.2))]
    assert tracks(threegp) == [("h263", pytest.approx(2, abs=0.2)), ("amrnb", pytest.approx(2, abs=0.2))]


@pytest.mark.parametrize(
    ("size", "expected"), [((1280, 720), (480, 270)), ((720, 1280), (270, 480)), ((60, 100), (60, 100))]
)
def test_video_keeps_its_shape_within_the_box(size: tuple[int, int], expected: tuple[int, int], tmp_path: Path) -> None:
    mp4, threegp = made(film("mp4", audio="", size=size), Kind.VIDEO, tmp_path)
    assert ((mp4.width, mp4.height), (threegp.width, threegp.height)) == (expected, (176, 144))
    assert [codec for codec, _ in tracks(mp4)] == ["h264"]


def test_h264_is_baseline_because_telephones_decode_no_more(tmp_path: Path) -> None:
    mp4, _ = made(film(), Kind.VIDEO, tmp_path)
    with av.open(str(mp4.file)) as read:
        assert "Baseline" in (read.streams.video[0].codec_context.profile or "")


@pytest.mark.parametrize(
    ("data", "kind", "problem"),
    [
        (sound("mp4", "aac"), Kind.VIDEO, "it has no video track"),
        (film("mp4", audio=""), Kind.AUDIO, "it has no audio track"),
        (film()[:3_000], Kind.VIDEO, "it is damaged, or its codec is unknown"),
        (b"ID3" + b"\x00" * 500, Kind.AUDIO, "it is damaged, or its codec is unknown"),
        (sound("wav", "pcm_s16le", seconds=700, rate=8_000), Kind.AUDIO, "it is longer than 600 seconds"),
    ],
)
def test_what_cannot_be_encoded_is_told_in_words(data: bytes, kind: Kind, problem: str, tmp_path: Path) -> None:
    with pytest.raises(TranscodingError, match=problem):
        made(data, kind, tmp_path)


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.mp3").write_bytes(sound())
    playlist = f"#EXTM3U\n#EXTINF:2,\n{tmp_path}/secret.mp3\n#EXT-X-ENDLIST\n"
    with pytest.raises(TranscodingError):
        made(playlist.encode(), Kind.AUDIO, tmp_path)
