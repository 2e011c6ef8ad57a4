"""Reading of audio and video files as they are in the wild: the tracks worth decoding, and their frames.

It takes what FFmpeg's own program takes: damaged packets are skipped, tracks without a decoder and attached pictures
are passed over, and joined streams, whose clocks start again, become one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

SECONDS_MAX = 600
# 4096 x 2304: the largest size that cameras record and that decodes within the memory limit of a child process.
PIXELS_MAX = 9_437_184
STREAMS_MAX = 64
# Formats without a duration in their header: FFmpeg guesses it from the size and the first bit rate.
GUESSED_DURATIONS = frozenset({"aac", "ac3", "amr", "eac3", "mp3", "mpeg", "mpegts", "mpegvideo"})
# The part of the packets that may be damaged, as in FFmpeg's program (-max_error_rate).
ERROR_RATE_MAX = 2 / 3
# Seconds by which a clock goes back, or in formats of broadcasts on, at a joint. FFmpeg's program has 0.1 and 10.
BACKWARD, FORWARD = 0.1, 10.0
VIDEO_CLOCK = 90_000
USUAL_FRAME_RATE = 25
# AVFMT_TS_DISCONT of FFmpeg's avformat.h: timestamps of the format may be discontinuous.
AVFMT_TS_DISCONT = 0x0200
PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails

Frame = av.AudioFrame | VideoFrame
Track = AudioStream | VideoStream


class TranscodingError(Exception):
    """An audio or video cannot be encoded; the message gives the customer the reason."""


@contextmanager
def open_input(source: Path) -> Iterator[InputContainer]:
    """Open the file and check its limits before decoding. The whitelist keeps playlists from opening URLs."""
    with av.open(str(source), options={"protocol_whitelist": "file"}, metadata_errors="replace") as read:
        if len(read.streams) > STREAMS_MAX:
            raise TranscodingError(f"it has {len(read.streams)} tracks; at most {STREAMS_MAX} are allowed")
        stated = read.duration if GUESSED_DURATIONS.isdisjoint(read.format.name.split(",")) else None
        if stated and stated / av.time_base > SECONDS_MAX:
            raise TranscodingError(f"it is longer than {SECONDS_MAX} seconds")
        yield read


def find_track(source: Path, kind: str) -> tuple[int, Frame] | None:
    """Return the index of the first "audio" or "video" track that can be decoded, and its first frame.

    Raises TranscodingError if there are such tracks and none can be decoded.
    """
    with open_input(source) as read:
        given = [stream for stream in read.streams if stream.type == kind and not stream.disposition & PICTURES]
        known = [cast(Track, stream) for stream in given if cast(Any, stream.codec_context)]
        for track in known:
            _check_pixels(track)
        indexes = [track.index for track in known]
    found = ((index, first) for index in indexes if (first := _first_frame(source, index)))
    track_found = next(found, None)
    if given and track_found is None:
        raise TranscodingError(f"it is damaged, or its codec is unknown: no {kind} track can be decoded")
    return track_found


def _check_pixels(track: Track) -> None:
    if isinstance(track, VideoStream) and track.width * track.height > PIXELS_MAX:
        raise TranscodingError(f"its {track.width} x {track.height} pixels are more than {PIXELS_MAX:,}")


def _first_frame(source: Path, index: int) -> Frame | None:
    with open_input(source) as read:
        return next((frame for _, frame in read_frames(read, [cast(Track, read.streams[index])])), None)


def read_frames(source: InputContainer, tracks: Sequence[Track]) -> Iterator[tuple[Track, Frame]]:
    """Yield the frames of the tracks, on clocks that start with the file and never go back.

    Damaged packets are skipped; damage to the container ends the file. Raises TranscodingError if most are damaged.
    """
    clocks = {track.index: _Clock(source, track) for track in tracks}
    packets = damaged = 0
    for packet in _packets(source, tracks):
        track = cast(Track, packet.stream)
        packets += 1
        try:
            frames = cast(list[Any], packet.decode())
        except av.EOFError:
            continue
        except av.FFmpegError:
            damaged += 1
            continue
        for frame in frames:
            clocks[track.index].set(frame)
            yield track, frame
    if damaged > packets * ERROR_RATE_MAX:
        raise TranscodingError("it is damaged, or its codec is unknown: most of it cannot be decoded")


def _packets(source: InputContainer, tracks: Sequence[Track]) -> Iterator["av.Packet[Any]"]:
    try:
        yield from source.demux(list(tracks))
    except av.FFmpegError:
        for track in tracks:  # an empty packet makes the decoder give out what it holds
            last: av.Packet[Any] = av.Packet()
            last.stream = track
            yield last


def frame_seconds(frame: Frame, track: Track) -> float:
    """Return the time in seconds for which the frame lasts."""
    if isinstance(frame, av.AudioFrame):
        return frame.samples / (frame.sample_rate or 1)
    return float(1 / ((isinstance(track, VideoStream) and track.average_rate) or USUAL_FRAME_RATE))


class _Clock:
    """The time of one track, from the start of the file, continued over the joints of streams."""

    def __init__(self, source: InputContainer, track: Track) -> None:
        self._track = track
        self._offset = -(source.start_time or 0) / av.time_base
        self._forward = FORWARD if source.format.flags & AVFMT_TS_DISCONT else float("inf")
        self._last: float | None = None
        self._next = 0.0

    def set(self, frame: Frame) -> None:
        """Give the frame its time; a frame without one follows the previous frame."""
        time = self._next if frame.time is None else frame.time + self._offset
        if self._last is not None and not self._last - BACKWARD <= time <= self._next + self._forward:
            self._offset += self._next - time
            time = self._next
        self._last, self._next = time, time + frame_seconds(frame, self._track)
        rate = frame.sample_rate if isinstance(frame, av.AudioFrame) else VIDEO_CLOCK
        frame.pts, frame.time_base = round(time * rate), Fraction(1, rate)
