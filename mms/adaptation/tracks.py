"""From the tracks of one audio or video file to those of another, frame by frame."""

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
    """An audio or video that cannot be encoded; the message tells a customer why."""


class AudioPipe:
    """From one audio track to another; the encoder resamples what it is given."""

    def __init__(self, source: AudioStream, target: AudioStream) -> None:
        self.source = source
        self._target = target
        self._next: int | None = None

    def write(self, written: OutputContainer, frame: av.AudioFrame | None) -> None:
        """Encodes the frame; None ends the track."""
        if frame:
            self._number(frame)
        written.mux(self._target.encode(frame))

    def _number(self, frame: av.AudioFrame) -> None:
        """Times the frame by the samples before it: the clocks of many files jitter, and encoders refuse that.

        A gap of more than a tenth of a second is one that was meant.
        """
        rate = frame.sample_rate
        given = round((frame.time or 0.0) * rate)
        expected = given if self._next is None else self._next
        frame.time_base = Fraction(1, rate)
        frame.pts = given if given - expected > rate / 10 else expected
        self._next = frame.pts + frame.samples


class VideoPipe:
    """From one video track to another, through a graph of filters that is made for its first frame."""

    def __init__(self, source: VideoStream, target: VideoStream) -> None:
        self.source = source
        self._target = target
        self._graph: Graph | None = None
        source.thread_type = "AUTO"
        source.codec_context.thread_count = target.codec_context.thread_count = THREADS

    def write(self, written: OutputContainer, frame: VideoFrame | None) -> None:
        """Encodes the frame; None ends the track."""
        if frame and self._graph is None:
            self._graph = _build_filter_graph(self.source, self._target, frame)
        if self._graph:
            self._graph.vpush(frame)
            for shown in _pull_frames(self._graph):
                written.mux(self._target.encode(shown))
        if frame is None:
            written.mux(self._target.encode(None))


def transcode(
    read: InputContainer, written: OutputContainer, pipes: Sequence[AudioPipe | VideoPipe], seconds_max: float
) -> float:
    """Sends every frame through its pipe; returns the seconds that were read. Raises RecordingError."""
    by_stream = {pipe.source.index: pipe for pipe in pipes}
    start, end = float("inf"), 0.0
    for packet in read.demux([pipe.source for pipe in pipes]):
        for frame in cast(list[Any], packet.decode()):  # each of its stream's own kind
            _rebase_timestamp(frame, read.start_time)
            pipe = by_stream[packet.stream.index]
            start, end = min(start, frame.time or 0.0), max(end, _end_time(frame, pipe.source))
            if end - start > seconds_max:
                raise TranscodingError(f"it is longer than {seconds_max} seconds")
            pipe.write(written, frame)
    if end <= start:
        raise TranscodingError("there is nothing to play in it")
    for pipe in pipes:
        pipe.write(written, None)
    return end - start


def _rebase_timestamp(frame: av.AudioFrame | VideoFrame, start: int | None) -> None:
    """Counts the frame's time from the beginning of the file, which broadcasts count from elsewhere."""
    if frame.pts is not None and frame.time_base:
        frame.pts -= round(Fraction(start or 0, av.time_base) / frame.time_base)


def first_frame(read: InputContainer) -> VideoFrame:
    """The first frame of the first video track. Raises RecordingError where there is none."""
    if not read.streams.video:
        raise TranscodingError("it has no video track")
    first = next(read.decode(read.streams.video[0]), None)
    if first is None:
        raise TranscodingError("it has no picture in its video track")
    return first


def quarter_turns(frame: VideoFrame) -> int:
    """How often the frame is to be turned by 90 degrees, counter-clockwise, to stand upright."""
    return round(frame.rotation / 90) % 4


def _end_time(frame: av.AudioFrame | VideoFrame, source: AudioStream | VideoStream) -> float:
    """The moment, in seconds, at which the frame has been played."""
    if isinstance(frame, av.AudioFrame):
        return (frame.time or 0.0) + frame.samples / frame.sample_rate
    return (frame.time or 0.0) + float(1 / ((isinstance(source, VideoStream) and source.average_rate) or FRAME_RATE))


def _build_filter_graph(source: VideoStream, target: VideoStream, first: VideoFrame) -> Graph:
    """Turned upright, at our frame rate, as large as the target, with black around it where the shape differs."""
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
        # Which frames stand alone, the encoder decides, not the source.
        frame.pict_type = PictureType.NONE
        yield frame
