"""Encoding of audio and video into the variants for handsets. Runs codecs: call it in a process that may die.

| variant   | file | video                                                     | audio                   |
|-----------|------|-----------------------------------------------------------|-------------------------|
| audio-aac | M4A  | -                                                         | AAC-LC, 64 kbit/s, mono |
| audio-amr | AMR  | -                                                         | AMR-NB, 12.2 kbit/s     |
| video-mp4 | MP4  | H.264 baseline, within 480 x 360, 15 a second, 200 kbit/s | AAC-LC, 48 kbit/s, mono |
| video-3gp | 3GP  | H.263 profile 0, 176 x 144, 15 a second, 64 kbit/s        | AMR-NB, 12.2 kbit/s     |
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from mms.adaptation.content import Kind
from mms.adaptation.demuxing import Frame, TranscodingError, find_track, open_input
from mms.adaptation.limits import fit
from mms.adaptation.tracks import FRAME_RATE, AudioPipe, VideoPipe, quarter_turns, transcode

__all__ = ["OUTPUT_FORMATS", "EncodedFile", "OutputFormat", "TranscodingError", "encode"]

# Seconds at the end that are discounted as padding of the encoder.
PADDING = 0.1


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """Settings of an audio track: encoder, samples and bits per second. Always mono: handsets have one loudspeaker."""

    codec: str
    rate: int
    bit_rate: int


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """Settings of a video track: encoder, box in pixels, bits per second; `padded` fills the box with black."""

    codec: str
    width: int
    height: int
    bit_rate: int
    padded: bool = False
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """A variant to encode: its recipe, container (FFmpeg's name), MIME type and tracks."""

    recipe: str
    container: str
    mime_type: str
    audio: AudioTrack
    video: VideoTrack | None = None


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """An encoded variant: its file, size in pixels (0 for audio) and whole seconds."""

    output_format: OutputFormat
    file: Path
    width: int
    height: int
    seconds: int


AMR = AudioTrack("libopencore_amrnb", 8_000, 12_200)
H264 = VideoTrack(
    "libx264",
    480,
    360,
    200_000,
    options={"profile": "baseline", "level": "3.0", "preset": "medium", "maxrate": "240k", "bufsize": "480k"},
)
# H.263 profile 0 has five sizes only (ITU-T H.263, 4.1); handsets support QCIF.
H263 = VideoTrack("h263", 176, 144, 64_000, padded=True)

# In order of preference.
OUTPUT_FORMATS = {
    Kind.AUDIO: (
        OutputFormat("audio-aac", "ipod", "audio/mp4", AudioTrack("aac", 44_100, 64_000)),
        OutputFormat("audio-amr", "amr", "audio/amr", AMR),
    ),
    Kind.VIDEO: (
        OutputFormat("video-mp4", "mp4", "video/mp4", AudioTrack("aac", 44_100, 48_000), H264),
        OutputFormat("video-3gp", "3gp", "video/3gpp", AMR, H263),
    ),
}


@dataclass(frozen=True, slots=True)
class ChosenTracks:
    """The tracks of a file to encode, by their index; `size` is that of the upright picture in square pixels."""

    audio: int | None
    video: int | None = None
    size: tuple[int, int] = (0, 0)


def encode(source: Path, kind: Kind, folder: Path) -> list[EncodedFile]:
    """Encode every variant of an audio or video into files in `folder`. Raises TranscodingError."""
    try:
        chosen = _choose_tracks(source, kind)
        return [
            _encode_file(source, chosen, output_format, folder / output_format.recipe)
            for output_format in OUTPUT_FORMATS[kind]
        ]
    except av.FFmpegError as problem:
        raise TranscodingError(f"it is damaged, or its codec is unknown ({problem.strerror})") from problem


def _choose_tracks(source: Path, kind: Kind) -> ChosenTracks:
    """Choose the first track of each kind that can be decoded; a video may lack sound, or have only unknown sound."""
    if kind is Kind.AUDIO:
        if audio := find_track(source, "audio"):
            return ChosenTracks(audio[0])
        raise TranscodingError("it has no audio track")
    video = find_track(source, "video")
    if video is None:
        raise TranscodingError("it has no video track")
    try:
        audio = find_track(source, "audio")
    except TranscodingError:
        audio = None
    return ChosenTracks(audio and audio[0], video[0], _shown_size(source, *video))


def _shown_size(source: Path, index: int, first: Frame) -> tuple[int, int]:
    with open_input(source) as read:
        aspect = cast(VideoStream, read.streams[index]).sample_aspect_ratio or 1
    picture = cast(VideoFrame, first)
    squared = max(1, round(picture.width * aspect))
    return (squared, picture.height) if quarter_turns(picture) % 2 == 0 else (picture.height, squared)


def _encode_file(source: Path, chosen: ChosenTracks, output_format: OutputFormat, target: Path) -> EncodedFile:
    # The index goes first, so that a handset can start playing before it has the whole file.
    options = {} if output_format.container == "amr" else {"movflags": "faststart"}
    size = _output_size(chosen, output_format.video) if output_format.video else (0, 0)
    with (
        open_input(source) as read,
        av.open(str(target), "w", format=output_format.container, container_options=options) as written,
    ):
        seconds = transcode(read, written, _create_pipes(read, written, chosen, output_format, size))
    return EncodedFile(output_format, target, *size, max(1, math.ceil(seconds - PADDING)))


def _output_size(chosen: ChosenTracks, track: VideoTrack) -> tuple[int, int]:
    """Return width and height of the encoded video in pixels, both even."""
    if track.padded:
        return track.width, track.height
    width, height = fit(*chosen.size, track.width, track.height)
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


def _create_pipes(
    read: InputContainer,
    written: OutputContainer,
    chosen: ChosenTracks,
    output_format: OutputFormat,
    size: tuple[int, int],
) -> list[AudioPipe | VideoPipe]:
    pipes: list[AudioPipe | VideoPipe] = []
    if chosen.video is not None and (video_track := output_format.video):
        video = cast(VideoStream, written.add_stream(video_track.codec, rate=FRAME_RATE, options=video_track.options))
        video.width, video.height, video.pix_fmt, video.bit_rate = *size, "yuv420p", video_track.bit_rate
        pipes.append(VideoPipe(cast(VideoStream, read.streams[chosen.video]), video))
    if chosen.audio is not None:
        voice = cast(
            AudioStream, written.add_stream(output_format.audio.codec, rate=output_format.audio.rate, layout="mono")
        )
        voice.bit_rate = output_format.audio.bit_rate
        pipes.append(AudioPipe(cast(AudioStream, read.streams[chosen.audio]), voice))
    return pipes
