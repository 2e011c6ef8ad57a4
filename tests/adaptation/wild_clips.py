"""Audio and video as they are in the wild: joined, tagged, damaged, with tracks that no decoder knows."""

import struct
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from io import BytesIO
from typing import Any, cast

import av
from av.audio.stream import AudioStream
from av.stream import Disposition
from av.video.stream import VideoStream
from PIL import Image

from tests.adaptation.clips import make_audio, make_video
from tests.adaptation.pictures import encode_picture

NOISE = bytes(range(7, 247)) * 20
COVER = encode_picture(Image.new("RGB", (400, 400), "red"), "JPEG")


def make_sound(container: str, codec: str, rate: int = 44_100, layout: str = "mono", seconds: float = 1.0) -> bytes:
    """Return an audio file of this form."""
    file = BytesIO()
    with av.open(file, "w", format=container) as written:
        _write_sound(written, cast(AudioStream, written.add_stream(codec, rate=rate, layout=layout)), seconds)
    return file.getvalue()


def _write_sound(written: Any, stream: AudioStream, seconds: float) -> None:
    channels = stream.layout.nb_channels
    for number in range(int(seconds * stream.rate / 160)):
        frame = av.AudioFrame(format="s16", layout=stream.layout.name, samples=160)
        frame.planes[0].update((b"\x00\x10" * channels * 40 + b"\x00\xf0" * channels * 40) * 2)
        frame.sample_rate, frame.pts, frame.time_base = stream.rate, number * 160, Fraction(1, stream.rate)
        written.mux(stream.encode(frame))
    written.mux(stream.encode(None))


def make_tracks(container: str, video: Sequence[str], audio: Sequence[str], cover: bool = False) -> bytes:
    """Return a file of several tracks: a cover first if asked for, then pictures, then sound."""
    file = BytesIO()
    with av.open(file, "w", format=container) as written:
        front = _add_cover(written) if cover else None
        pictures = [cast(VideoStream, written.add_stream(codec, rate=25)) for codec in video]
        sounds = [cast(AudioStream, written.add_stream(codec, rate=44_100, layout="mono")) for codec in audio]
        for stream in pictures:
            stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        if front:
            front.write(written)
        for stream in pictures:
            _write_pictures(written, stream)
        for sound in sounds:
            _write_sound(written, sound, 1)
    return file.getvalue()


class _add_cover:  # noqa: N801 - a step of make_tracks that is begun before the header and ended after it
    def __init__(self, written: Any) -> None:
        self.stream = written.add_stream("mjpeg", rate=1)
        self.stream.width, self.stream.height, self.stream.pix_fmt = 400, 400, "yuvj420p"
        self.stream.disposition = Disposition.attached_pic

    def write(self, written: Any) -> None:
        packet: av.Packet[Any] = av.Packet(COVER)
        packet.stream, packet.pts, packet.dts, packet.time_base = self.stream, 0, 0, Fraction(1, 1)
        written.start_encoding()
        written.mux(packet)


def _write_pictures(written: Any, stream: VideoStream) -> None:
    for number in range(25):
        frame = av.VideoFrame.from_image(Image.new("RGB", (160, 120), (number * 9, 80, 90)))  # type: ignore[no-untyped-call]
        frame.pts, frame.time_base = number, Fraction(1, 25)
        written.mux(stream.encode(frame))
    written.mux(stream.encode(None))


def id3(*frames: tuple[bytes, bytes]) -> bytes:
    """Return an ID3v2.3 tag (id3.org, ID3v2.3.0, 3.1)."""
    body = b"".join(name + struct.pack(">I", len(value)) + b"\0\0" + value for name, value in frames)
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + size + body


def riff_chunk(name: bytes, value: bytes) -> bytes:
    return name + struct.pack("<I", len(value)) + value + b"\0" * (len(value) % 2)


def in_wav(chunk: bytes, wav: bytes) -> bytes:
    """Return the WAV with a chunk before its format."""
    return wav[:4] + struct.pack("<I", len(wav) - 8 + len(chunk)) + wav[8:12] + chunk + wav[12:]


def unknown(data: bytes, codec: bytes, nth: int = 0) -> bytes:
    """Return the MP4 with the nth sample entry of this codec renamed to one that nobody knows."""
    at = -1
    for _ in range(nth + 1):
        at = data.index(codec, at + 1)
    return data[:at] + b"zzzz" + data[at + 4 :]


def damaged(data: bytes) -> bytes:
    """Return the bytes with noise in their middle."""
    middle = len(data) // 2
    return data[:middle] + NOISE[:600] + data[middle + 600 :]


def with_time_codes(transport: bytes) -> bytes:
    """Return a transport stream as Blu-ray recorders write it: packets of 192 bytes."""
    return b"".join(b"\0\0\0\0" + transport[at : at + 188] for at in range(0, len(transport), 188))


def _box(name: bytes, size: int) -> bytes:
    return struct.pack(">I", size + 8) + name + bytes(size)


MP3, APIC = make_audio("mp3", "mp3", 1), b"\0image/jpeg\0\3\0" + COVER
JOINED: dict[str, Callable[[], bytes]] = {
    "mp3 of two rates": lambda: make_sound("mp3", "mp3", 22_050) + make_sound("mp3", "mp3"),
    "mp3 of two layouts": lambda: make_sound("mp3", "mp3") + make_sound("mp3", "mp3", layout="stereo"),
    "mp3 of three forms": lambda: b"".join(
        make_sound("mp3", "mp3", *form) for form in ((22_050, "mono"), (44_100, "stereo"), (48_000, "mono"))
    ),
    "mp3 with tags between": lambda: MP3 + id3((b"TIT2", b"\0two")) + MP3,
    "mp3 of many parts": lambda: MP3 * 5,
    "adts of two rates": lambda: make_sound("adts", "aac") + make_sound("adts", "aac", 22_050),
    "adts of two layouts": lambda: make_sound("adts", "aac") + make_sound("adts", "aac", layout="stereo"),
    "amr with a second header": lambda: make_audio("amr", "libopencore_amrnb", 1, 8_000) * 2,
    "ogg chained": lambda: make_sound("ogg", "libopus", 48_000) * 2,
    "ac3 of two layouts": lambda: make_sound("ac3", "ac3", 48_000) + make_sound("ac3", "ac3", 48_000, "stereo"),
    "mp2 of two rates": lambda: make_sound("mp2", "mp2") + make_sound("mp2", "mp2", 48_000),
}
TAGGED: dict[str, Callable[[], bytes]] = {
    "mp3 with a cover": lambda: id3((b"APIC", APIC)) + MP3,
    "mp3 with 3 MB of tags": lambda: id3((b"PRIV", b"owner\0" + NOISE * 600), (b"APIC", APIC)) + MP3,
    "mp3 with two tags": lambda: id3((b"TIT2", b"\0one")) + id3((b"TIT2", b"\0two")) + MP3,
    "mp3 with text in no encoding": lambda: id3((b"TIT2", b"\3\xff\xfe\xfd")) + MP3,
    "mp3 with Latin-1 at its end": lambda: MP3 + b"TAG" + b"M\xe4rz".ljust(125, b"\0"),
    "mp3 after zeros": lambda: bytes(900) + MP3,
    "mp3 before noise": lambda: MP3 + NOISE,
    "mp3 damaged": lambda: damaged(MP3),
    "adts after a tag": lambda: id3((b"TIT2", b"\0one")) + make_sound("adts", "aac"),
    "adts damaged": lambda: damaged(make_sound("adts", "aac")),
    "flac after a tag": lambda: id3((b"TIT2", b"\0one")) + make_sound("flac", "flac"),
    "flac with 2 MB of padding": lambda: _padded_flac(make_sound("flac", "flac"), 2_000_000),
    "wav with text in no encoding": lambda: in_wav(
        riff_chunk(b"LIST", b"INFO" + riff_chunk(b"INAM", b"M\xe4rz \xff\0")), make_sound("wav", "pcm_s16le")
    ),
    "wav with 1 MB before": lambda: in_wav(riff_chunk(b"junk", bytes(1_000_000)), make_sound("wav", "pcm_s16le")),
    "wav of no stated size": lambda: make_sound("wav", "pcm_s16le").replace(
        b"data" + struct.pack("<I", 88_000), b"data\xff\xff\xff\xff"
    ),
    "m4a with a cover": lambda: make_tracks("mp4", [], ["aac"], cover=True),
    "m4a with 1 MB after": lambda: make_sound("ipod", "aac") + _box(b"free", 1_000_000),
}
FORMS: dict[str, Callable[[], bytes]] = {
    "wav of 24 bits": lambda: make_sound("wav", "pcm_s24le"),
    "wav of floats": lambda: make_sound("wav", "pcm_f32le"),
    "wav of mu-law": lambda: make_sound("wav", "pcm_mulaw", 8_000),
    "wav of six channels": lambda: make_sound("wav", "pcm_s16le", layout="5.1"),
    "wav of ADPCM": lambda: make_sound("wav", "adpcm_ms"),
    "aiff": lambda: make_sound("aiff", "pcm_s16be"),
    "caf": lambda: make_sound("caf", "pcm_s16be"),
    "au": lambda: make_sound("au", "pcm_s16be"),
    "wma": lambda: make_audio("asf", "wmav2", 1),
    "m4a of ALAC": lambda: make_sound("ipod", "alac"),
    "mka": lambda: make_sound("matroska", "flac"),
    "m4a with an unknown track first": lambda: unknown(make_tracks("mp4", [], ["aac", "aac"]), b"mp4a"),
    "m4a with an unknown track last": lambda: unknown(make_tracks("mp4", [], ["aac", "aac"]), b"mp4a", 1),
}
VIDEOS: dict[str, Callable[[], bytes]] = {
    "mp4 with an unknown sound first": lambda: unknown(make_tracks("mp4", ["libx264"], ["aac", "aac"]), b"mp4a"),
    "mp4 with unknown sound alone": lambda: unknown(make_tracks("mp4", ["libx264"], ["aac"]), b"mp4a"),
    "mp4 with an unknown picture first": lambda: unknown(make_tracks("mp4", ["libx264"] * 2, ["aac"]), b"avc1", 1),
    "mp4 with a cover first": lambda: make_tracks("mp4", ["libx264"], ["aac"], cover=True),
    "mp4 with 1 MB after": lambda: make_video("mp4", seconds=1) + _box(b"free", 1_000_000),
    "mp4 with twenty tracks": lambda: make_tracks("mp4", ["libx264"], ["aac"] * 20),
    "mov of PCM": lambda: make_tracks("mov", ["libx264"], ["pcm_s16be"]),
    "transport stream joined": lambda: make_video("mpegts", seconds=1) * 2,
    "transport stream of two sizes": lambda: (
        make_video("mpegts", seconds=1) + make_video("mpegts", seconds=1, size=(176, 144))
    ),
    "transport stream cut": lambda: make_video("mpegts", seconds=1)[100:],
    "transport stream with time codes": lambda: with_time_codes(make_video("mpegts", seconds=1)),
    "program stream joined": lambda: make_video("mpeg", "mpeg1video", "mp2", seconds=1) * 2,
    "mkv": lambda: make_video("matroska", seconds=1),
    "flv": lambda: make_video("flv", "flv", "mp3", seconds=1),
    "avi damaged": lambda: damaged(make_video("avi", "mpeg4", "mp3", seconds=1)),
    "avi truncated": lambda: make_video("avi", "mpeg4", "mp3", seconds=2)[:-9_000],
    "avi with unknown sound": lambda: make_video("avi", "mpeg4", "mp3", seconds=1).replace(
        b"\x55\x00\x01\x00\x44\xac", b"\xee\xee\x01\x00\x44\xac", 1
    ),
}
AUDIOS = JOINED | TAGGED | FORMS


def _padded_flac(flac: bytes, size: int) -> bytes:
    """Return the FLAC with a block of padding after its first block (RFC 9639, 8.3)."""
    return flac[:42] + b"\x01" + size.to_bytes(3, "big") + bytes(size) + flac[42:]


def decode_plainly(data: bytes, kind: str) -> float:
    """Return the seconds of the first track that decodes, as FFmpeg's libraries decode it without our code."""
    with av.open(BytesIO(data), metadata_errors="ignore") as read:
        count = len(read.streams)
    return next(filter(None, (_track_seconds(data, kind, index) for index in range(count))), 0.0)


def _track_seconds(data: bytes, kind: str, index: int) -> float:
    with av.open(BytesIO(data), metadata_errors="ignore") as read:
        stream: Any = read.streams[index]
        wanted = stream.type == kind and stream.codec_context and not stream.disposition & Disposition.attached_pic
        return sum(_decode(read, stream)) if wanted else 0.0


def _decode(read: Any, stream: Any) -> Iterator[float]:
    try:
        for packet in read.demux(stream):
            try:
                for frame in packet.decode():
                    yield frame.samples / frame.sample_rate if stream.type == "audio" else 1 / 25
            except av.FFmpegError:
                continue
    except av.FFmpegError:
        return
