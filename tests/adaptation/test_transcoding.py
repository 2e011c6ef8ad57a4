"""Tests of the encoded variants of audio and video, decoded again with FFmpeg."""

from pathlib import Path
from typing import Any

import av
import pytest

from mms.adaptation.content import Kind
from mms.adaptation.transcoding import EncodedFile, TranscodingError, encode
from tests.adaptation.clips import make_audio, make_video


def encode_all(data: bytes, kind: Kind, folder: Path) -> list[EncodedFile]:
    source = folder / "source"
    source.write_bytes(data)
    return encode(source, kind, folder)


def tracks(encoded: EncodedFile) -> list[Any]:
    """Return the codec and the decoded seconds of each track."""
    with av.open(str(encoded.file)) as read:
        found = []
        for stream in [*read.streams.video, *read.streams.audio]:
            read.seek(0)
            frames: list[Any] = list(read.decode(stream))
            found.append((stream.codec_context.name, round(frames[-1].time or 0.0, 1)))
        return found


@pytest.mark.parametrize(
    "data",
    [
        make_audio("mp3", "mp3"),
        make_audio("wav", "pcm_s16le"),
        make_audio("amr", "libopencore_amrnb", rate=8_000),
        make_audio("adts", "aac"),
        make_audio("ipod", "aac"),
        make_audio("ogg", "libopus", rate=48_000),
    ],
)
def test_audio_is_encoded_as_aac_and_amr(data: bytes, tmp_path: Path) -> None:
    aac, amr = encode_all(data, Kind.AUDIO, tmp_path)
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
        make_video("mp4"),
        make_video("mov"),
        make_video("3gp", "mpeg4"),
        make_video("avi", "mpeg4", "mp3"),
        make_video("asf", "wmv2", "wmav2"),
        make_video("mpeg", "mpeg1video", "mp2"),
        make_video("mpegts"),
    ],
)
def test_video_is_encoded_as_h264_and_h263(data: bytes, tmp_path: Path) -> None:
    mp4, threegp = encode_all(data, Kind.VIDEO, tmp_path)
    assert [encoded.output_format.mime_type for encoded in (mp4, threegp)] == ["video/mp4", "video/3gpp"]
    assert [encoded.seconds for encoded in (mp4, threegp)] == [2, 2]
    assert [(encoded.width, encoded.height) for encoded in (mp4, threegp)] == [(320, 240), (176, 144)]
    assert tracks(mp4) == [("h264", pytest.approx(2, abs=0.2)), ("aac", pytest.approx(2, abs=0.2))]
    assert tracks(threegp) == [("h263", pytest.approx(2, abs=0.2)), ("amrnb", pytest.approx(2, abs=0.2))]


@pytest.mark.parametrize(
    ("size", "expected"), [((1280, 720), (480, 270)), ((720, 1280), (270, 480)), ((60, 100), (60, 100))]
)
def test_video_keeps_its_aspect_ratio(size: tuple[int, int], expected: tuple[int, int], tmp_path: Path) -> None:
    mp4, threegp = encode_all(make_video("mp4", audio="", size=size), Kind.VIDEO, tmp_path)
    assert ((mp4.width, mp4.height), (threegp.width, threegp.height)) == (expected, (176, 144))
    assert [codec for codec, _ in tracks(mp4)] == ["h264"]


def test_h264_uses_the_baseline_profile(tmp_path: Path) -> None:
    mp4, _ = encode_all(make_video(), Kind.VIDEO, tmp_path)
    with av.open(str(mp4.file)) as read:
        assert "Baseline" in (read.streams.video[0].codec_context.profile or "")


@pytest.mark.parametrize(
    ("data", "kind", "problem"),
    [
        (make_audio("mp4", "aac"), Kind.VIDEO, "it has no video track"),
        (make_video("mp4", audio=""), Kind.AUDIO, "it has no audio track"),
        (make_video()[:3_000], Kind.VIDEO, "it is damaged, or its codec is unknown"),
        (b"ID3" + b"\x00" * 500, Kind.AUDIO, "it is damaged, or its codec is unknown"),
        (make_audio("wav", "pcm_s16le", seconds=700, rate=8_000), Kind.AUDIO, "it is longer than 600 seconds"),
    ],
)
def test_unencodable_file_raises_with_the_reason(data: bytes, kind: Kind, problem: str, tmp_path: Path) -> None:
    with pytest.raises(TranscodingError, match=problem):
        encode_all(data, kind, tmp_path)


def test_playlist_opens_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.mp3").write_bytes(make_audio())
    playlist = f"#EXTM3U\n#EXTINF:2,\n{tmp_path}/secret.mp3\n#EXT-X-ENDLIST\n"
    with pytest.raises(TranscodingError):
        encode_all(playlist.encode(), Kind.AUDIO, tmp_path)
