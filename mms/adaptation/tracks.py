"""Transcoding of audio and video tracks, frame by frame, with FFmpeg through PyAV."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from mms.adaptation.demuxing import SECONDS_MAX, VIDEO_CLOCK, Frame, TranscodingError, frame_seconds, read_frames

FRAME_RATE = 15
THREADS = 2


class AudioPipe:
    """Transcodes one audio track. A resampler serves as long as rate, channels and sample format stay the same."""

    def __init__(self, source: AudioStream, target: AudioStream) -> None:
        self.source = source
        self._target = target
        self._form: tuple[int, str, str] | None = None
        self._resampler: AudioResampler | None = None
        self._next = 0

    def write(self, output: OutputContainer, frame: Frame | None) -> None:
        """Encode the frame; None ends the track."""
        if isinstance(frame, av.AudioFrame):
            self._adopt_form(output, frame)
            self._encode(output, frame)
        else:
            self._encode(output, None)
            output.mux(self._target.encode(None))

    def _adopt_form(self, output: OutputContainer, frame: av.AudioFrame) -> None:
        """Replace the resampler if the frame has another form than the previous one."""
        form = frame.sample_rate, frame.format.name, frame.layout.name
        if form != self._form:
            self._encode(output, None)
            self._form, self._resampler = form, AudioResampler(self._target.format, "mono", self._target.rate)

    def _encode(self, output: OutputContainer, frame: av.AudioFrame | None) -> None:
        """Resample and encode the frame; None gives out what the resampler holds.

        Timestamps are derived from the number of samples before the frame: those of many files jitter, which encoders
        reject. Gaps of more than a tenth of a second are kept.
        """
        rate = self._target.rate
        given = round((frame.time or 0.0) * rate) if frame else 0
        if given - self._next > rate / 10:
            self._next = given
        made = self._resampler.resample(frame) if self._resampler else []
        for resampled in filter(None, made):  # a resampler without work to do passes None on
            resampled.pts, resampled.time_base = self._next, Fraction(1, rate)
            self._next += resampled.samples
            output.mux(self._target.encode(resampled))


class VideoPipe:
    """Transcodes one video track. A filter graph serves as long as size, pixel format and rotation stay the same."""

    def __init__(self, source: VideoStream, target: VideoStream) -> None:
        self.source = source
        self._target = target
        self._form: tuple[int, int, str, int] | None = None
        self._graph: Graph | None = None
        self._last = -1
        source.thread_type = "AUTO"
        source.codec_context.thread_count = target.codec_context.thread_count = THREADS

    def write(self, output: OutputContainer, frame: Frame | None) -> None:
        """Encode the frame; None ends the track."""
        if isinstance(frame, VideoFrame):
            self._adopt_form(output, frame)
            self._encode(output, frame)
        else:
            self._encode(output, None)
            output.mux(self._target.encode(None))

    def _adopt_form(self, output: OutputContainer, frame: VideoFrame) -> None:
        """Replace the filter graph if the frame has another form than the previous one."""
        form = frame.width, frame.height, frame.format.name, quarter_turns(frame)
        if form != self._form:
            self._encode(output, None)
            self._form, self._graph = form, _build_filter_graph(self.source, self._target, frame)

    def _encode(self, output: OutputContainer, frame: VideoFrame | None) -> None:
        """Filter and encode the frame; None gives out what the filters hold. Times that encoders reject are dropped."""
        if self._graph is None:
            return
        self._graph.vpush(frame)
        for filtered in _pull_frames(self._graph):
            if filtered.pts is not None and filtered.pts > self._last:
                self._last = filtered.pts
                output.mux(self._target.encode(filtered))


def transcode(source: InputContainer, output: OutputContainer, pipes: Sequence[AudioPipe | VideoPipe]) -> float:
    """Send every frame through its pipe; return the duration in seconds. Raises TranscodingError."""
    by_track = {pipe.source.index: pipe for pipe in pipes}
    start, end = float("inf"), 0.0
    for track, frame in read_frames(source, [pipe.source for pipe in pipes]):
        time = frame.time or 0.0
        start, end = min(start, time), max(end, time + frame_seconds(frame, track))
        if end - start > SECONDS_MAX:
            raise TranscodingError(f"it is longer than {SECONDS_MAX} seconds")
        by_track[track.index].write(output, frame)
    if end <= start:
        raise TranscodingError("it has no playable content")
    for pipe in pipes:
        pipe.write(output, None)
    return end - start


def quarter_turns(frame: VideoFrame) -> int:
    """Return the number of counter-clockwise turns by 90 degrees that bring the frame upright."""
    return round(frame.rotation / 90) % 4


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
    aspect = source.sample_aspect_ratio or Fraction(1)
    given = graph.add(
        "buffer",
        f"video_size={first.width}x{first.height}:pix_fmt={first.format.name}:time_base=1/{VIDEO_CLOCK}"
        f":pixel_aspect={aspect.numerator}/{aspect.denominator}",
    )
    graph.link_nodes(given, *nodes, graph.add("buffersink")).configure()
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
