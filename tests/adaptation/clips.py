"""Generated audio and video files, like those that customers upload."""

from fractions import Fraction
from functools import cache
from io import BytesIO
from typing import cast

import av
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from PIL import Image


@cache
def make_audio(container: str = "mp3", codec: str = "mp3", seconds: int = 2, rate: int = 44_100) -> bytes:
    """Return an audio file with a tone."""
    file = BytesIO()
    with av.open(file, "w", format=container) as written:
        stream = cast(AudioStream, written.add_stream(codec, rate=rate, layout="mono"))
        stream.bit_rate = 12_200 if "amr" in codec else 64_000
        for number in range(seconds * rate // 160):
            written.mux(stream.encode(_tone(number, rate)))
        written.mux(stream.encode(None))
    return file.getvalue()


def _tone(number: int, rate: int) -> av.AudioFrame:
    frame = av.AudioFrame(format="s16", layout="mono", samples=160)
    half = b"\x00\x10" * 40 + b"\x00\xf0" * 40
    frame.planes[0].update(half * 2)
    frame.sample_rate, frame.pts, frame.time_base = rate, number * 160, Fraction(1, rate)
    return frame


@cache
def make_video(
    container: str = "mp4",
    codec: str = "libx264",
    audio: str = "aac",
    seconds: int = 2,
    size: tuple[int, int] = (320, 240),
) -> bytes:
    """Return a video file of a moving bar, with a tone unless `audio` is empty."""
    file = BytesIO()
    with av.open(file, "w", format=container) as written:
        video = cast(VideoStream, written.add_stream(codec, rate=25))
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        voice = cast(AudioStream, written.add_stream(audio, rate=44_100, layout="mono")) if audio else None
        if voice:
            voice.bit_rate = 64_000
        for number in range(seconds * 25):
            image = Image.new("RGB", size, "navy")
            image.paste("orange", (number % size[0], 0, number % size[0] + 40, size[1]))
            frame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]  # PyAV leaves it untyped
            frame.pts, frame.time_base = number, Fraction(1, 25)
            written.mux(video.encode(frame))
        written.mux(video.encode(None))
        if voice:
            for number in range(seconds * 44_100 // 160):
                written.mux(voice.encode(_tone(number, 44_100)))
            written.mux(voice.encode(None))
    return file.getvalue()
