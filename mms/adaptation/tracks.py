"""Transcoding of audio and video tracks, frame by frame, with FFmpeg through PyAV."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

FRAME_RATE = 15
THREADS = 2


class TranscodingError(Exception):
    """An audio or video cannot be encoded; the message gives the customer the reason."""


class AudioPipe:
    """Transcodes one audio track; the encoder resamples its input."""

    def __init__(self, source: AudioStream, target: AudioStream) -> None:
        self.source = source
        self._target = target
        self._next: int | None = None

    def write(self, output: OutputContainer, frame: av.AudioFrame | None) -> None:
        """Encode the frame; None ends the track."""
        if frame:
            self._set_timestamp(frame)
        output.mux(self._target.encode(frame))

    def _set_timestamp(self, frame: av.AudioFrame) -> None:
        """Derive the timestamp from the number of samples before the frame.

        The timestamps of many files jitter, which encoders reject. Gaps of more than a tenth of a second are kept.
        """
        rate = frame.sample_rate
        given = round((frame.time or 0.0) * rate)
        expected = given if self._next is None else self._next
        frame.time_base = Fraction(1, rate)
        frame.pts = given if given - expected > rate / 10 else expected
        self._next = frame.pts + frame.samples


class VideoPipe:
    """Transcodes one video track through a filter graph, which is built for the first frame."""

    def __init__(self, source: VideoStream, target: VideoStream) -> None:
        self.source = source
        self._target = target
        self._graph: Graph | None = None
        source.thread_type = "AUTO"
        source.codec_context.thread_count = target.codec_context.thread_count = THREADS

    def write(self, output: OutputContainer, frame: VideoFrame | None) -> None:
        """Encode the frame; None ends the track."""
        if frame and self._graph is None:
            self._graph = _build_filter_graph(self.source, self._target, frame)
        if self._graph:
            self._graph.vpush(frame)
            for filtered in _pull_frames(self._graph):
                output.mux(self._target.encode(filtered))
        if frame is None:
            output.mux(self._target.encode(None))


def transcode(
    source: InputContainer, output: OutputContainer, pipes: Sequence[AudioPipe | VideoPipe], seconds_max: float
) -> float:
    """Send every frame through its pipe; return the duration in seconds. Raises TranscodingError."""
    by_stream = {pipe.source.index: pipe for pipe in pipes}
    start, end = float("inf"), 0.0
    for packet in source.demux([pipe.source for pipe in pipes]):
        for frame in cast(list[Any], packet.decode()):  # audio or video frames, depending on the stream
            _rebase_timestamp(frame, source.start_time)
            pipe = by_stream[packet.stream.index]
            start, end = min(start, frame.time or 0.0), max(end, _end_time(frame, pipe.source))
            if end - start > seconds_max:
                raise TranscodingError(f"it is longer than {seconds_max} seconds")
            pipe.write(output, frame)
    if end <= start:
        raise TranscodingError("it has no playable content")
    for pipe in pipes:
        pipe.write(output, None)
    return end - start


def _rebase_timestamp(frame: av.AudioFrame | VideoFrame, start: int | None) -> None:
    """Make the frame's time relative to the start of the file; broadcast recordings do not start at zero."""
    if frame.pts is not None and frame.time_base:
        frame.pts -= round(Fraction(start or 0, av.time_base) / frame.time_base)


def first_frame(source: InputContainer) -> VideoFrame:
    """Return the first frame of the first video track. Raises TranscodingError if there is none."""
    if not source.streams.video:
        raise TranscodingError("it has no video track")
    first = next(source.decode(source.streams.video[0]), None)
    if first is None:
        raise TranscodingError("it has no picture in its video track")
    return first


def quarter_turns(frame: VideoFrame) -> int:
    """Return the number of counter-clockwise turns by 90 degrees that bring the frame upright."""
    return round(frame.rotation / 90) % 4


def _end_time(frame: av.AudioFrame | VideoFrame, source: AudioStream | VideoStream) -> float:
    """Return the time in seconds at which the frame ends."""
    if isinstance(frame, av.AudioFrame):
        return (frame.time or 0.0) + frame.samples / frame.sample_rate
    return (frame.time or 0.0) + float(1 / ((isinstance(source, VideoStream) and source.average_rate) or FRAME_RATE))


def _build_filter_graph(source: VideoStream, target: VideoStream, first: VideoFrame) -> Graph:
    """Rotate upright, convert the frame rate, scale to the target and pad it with black where the shape differs."""
    graph = Graph()
    size = f"{target.width}:{target.height}"
    filters = [
        *[("transpose", "cclock")] * quarter_turns(first),
        ("fps", str(FRAME_RATE)),
        ("scale", "trunc(iw*sar):ih"),
        ("setsar", "1"),
        ("scale", f"{size}:force_original_aspect_ratio=decrease"),
        ("pad", f"{size}:-1:-1"),
        ("setsar", "1"),
        ("format", "yuv420p"),
    ]
    nodes = [graph.add(name, arguments) for name, arguments in filters]
    graph.link_nodes(graph.add_buffer(template=source), *nodes, graph.add("buffersink")).configure()
    return graph


def _pull_frames(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            frame = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        # The encoder chooses the key frames, not the source.
        frame.pict_type = PictureType.NONE
        yield frame
