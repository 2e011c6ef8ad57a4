"""The forms in which audio and video go to handsets. Runs codecs: call it in a process that may die.

| form      | file | video                                                     | audio                   |
|-----------|------|-----------------------------------------------------------|-------------------------|
| audio-aac | M4A  | -                                                         | AAC-LC, 64 kbit/s, mono |
| audio-amr | AMR  | -                                                         | AMR-NB, 12.2 kbit/s     |
| video-mp4 | MP4  | H.264 baseline, within 480 x 360, 15 a second, 200 kbit/s | AAC-LC, 48 kbit/s, mono |
| video-3gp | 3GP  | H.263 profile 0, 176 x 144, 15 a second, 64 kbit/s        | AMR-NB, 12.2 kbit/s     |
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from mms.adaptation.content import Kind
from mms.adaptation.limits import fit
from mms.adaptation.tracks import (
    FRAME_RATE,
    PicturePipe,
    RecordingError,
    SoundPipe,
    first_frame,
    quarter_turns,
    transcode,
)

__all__ = ["MASTERS", "Made", "Master", "RecordingError", "encode"]

SECONDS_MAX = 600
# 4096 x 2304: what cameras record at most, and what decodes within the memory that a child may have.
PIXELS_MAX = 9_437_184
STREAMS_MAX = 16
# Seconds at the end that are padding: of an encoder's frames, of a clock that counts from elsewhere.
UNHEARD = 0.1


@dataclass(frozen=True, slots=True)
class Voice:
    """An audio track: encoder, samples a second, bits a second. Always mono: handsets have one loudspeaker."""

    codec: str
    rate: int
    bit_rate: int


@dataclass(frozen=True, slots=True)
class Screen:
    """A video track: encoder, box in pixels, bits a second; `padded` fills the box, with black where need be."""

    codec: str
    width: int
    height: int
    bit_rate: int
    padded: bool = False
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Master:
    """One form: its name, container (as FFmpeg calls it), MIME type and tracks."""

    recipe: str
    container: str
    mime_type: str
    voice: Voice
    screen: Screen | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A form as it was made: a file, pixels (0 for audio), whole seconds."""

    master: Master
    file: Path
    width: int
    height: int
    seconds: int


AMR = Voice("libopencore_amrnb", 8_000, 12_200)
H264 = Screen(
    "libx264",
    480,
    360,
    200_000,
    options={"profile": "baseline", "level": "3.0", "preset": "medium", "maxrate": "240k", "bufsize": "480k"},
)
# H.263 profile 0 knows five sizes only (ITU-T H.263, 4.1); handsets take QCIF.
H263 = Screen("h263", 176, 144, 64_000, padded=True)

# Best first.
MASTERS = {
    Kind.AUDIO: (
        Master("audio-aac", "ipod", "audio/mp4", Voice("aac", 44_100, 64_000)),
        Master("audio-amr", "amr", "audio/amr", AMR),
    ),
    Kind.VIDEO: (
        Master("video-mp4", "mp4", "video/mp4", Voice("aac", 44_100, 48_000), H264),
        Master("video-3gp", "3gp", "video/3gpp", AMR, H263),
    ),
}


def encode(source: Path, kind: Kind, folder: Path) -> list[Made]:
    """Makes every form of an audio or video, as files in `folder`. Raises RecordingError."""
    try:
        return [_made(source, master, folder / master.recipe) for master in MASTERS[kind]]
    except av.FFmpegError as problem:
        raise RecordingError(f"it is damaged, or its codec is not known ({problem.strerror})") from problem


def _made(source: Path, master: Master, target: Path) -> Made:
    # What tells of the whole file stands first: a telephone may begin to play before it has all.
    options = {} if master.container == "amr" else {"movflags": "faststart"}
    size = _size(source, master.screen) if master.screen else (0, 0)
    with (
        _opened(source) as read,
        av.open(str(target), "w", format=master.container, container_options=options) as written,
    ):
        seconds = transcode(read, written, _pipes(read, written, master, size), SECONDS_MAX)
    return Made(master, target, *size, max(1, math.ceil(seconds - UNHEARD)))


@contextmanager
def _opened(source: Path) -> Iterator[InputContainer]:
    """The file, its caps checked before anything is decoded. It may name no other: playlists and the like do."""
    with av.open(str(source), options={"protocol_whitelist": "file"}) as read:
        if len(read.streams) > STREAMS_MAX:
            raise RecordingError(f"it has {len(read.streams)} tracks; at most {STREAMS_MAX} are taken")
        if read.duration and read.duration / av.time_base > SECONDS_MAX:
            raise RecordingError(f"it is longer than {SECONDS_MAX} seconds")
        for stream in read.streams.video:
            if stream.width * stream.height > PIXELS_MAX:
                raise RecordingError(f"its {stream.width} x {stream.height} pixels are more than {PIXELS_MAX:,}")
        yield read


def _size(source: Path, screen: Screen) -> tuple[int, int]:
    """Width and height of the video as it is made, in pixels, both even."""
    if screen.padded:
        return screen.width, screen.height
    with _opened(source) as read:
        first = first_frame(read)
        squared = round(first.width * (read.streams.video[0].sample_aspect_ratio or 1))
        upright = (squared, first.height) if quarter_turns(first) % 2 == 0 else (first.height, squared)
    width, height = fit(*upright, screen.width, screen.height)
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


def _pipes(
    read: InputContainer, written: OutputContainer, master: Master, size: tuple[int, int]
) -> list[SoundPipe | PicturePipe]:
    pipes: list[SoundPipe | PicturePipe] = []
    if screen := master.screen:
        video = cast(VideoStream, written.add_stream(screen.codec, rate=FRAME_RATE, options=screen.options))
        video.width, video.height, video.pix_fmt, video.bit_rate = *size, "yuv420p", screen.bit_rate
        pipes.append(PicturePipe(read.streams.video[0], video))
    elif not read.streams.audio:
        raise RecordingError("it has no audio track")
    if read.streams.audio:
        voice = cast(AudioStream, written.add_stream(master.voice.codec, rate=master.voice.rate, layout="mono"))
        voice.bit_rate = master.voice.bit_rate
        pipes.append(SoundPipe(read.streams.audio[0], voice))
    return pipes
