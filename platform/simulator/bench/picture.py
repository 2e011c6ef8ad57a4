"""What a photograph of 12 megapixels costs to adapt, beside libvips, which is known as the cheapest there is."""

import logging
import time
from collections.abc import Callable
from io import BytesIO
from statistics import median

import pyvips  # type: ignore[import-untyped]
from PIL import Image, ImageOps

from mms.adaptation import images
from mms.adaptation.image_encoding import HIGHEST_QUALITY, LOWEST_QUALITY
from mms.adaptation.plan import Recipe
from mms.adaptation.similarity import ssim
from simulator.bench import BenchError
from simulator.bench.figures import Figure, Series, alternate, at_most
from simulator.bench.stage import Stage
from simulator.demo import pictures

RECIPE = Recipe(640, 480, 100_000, "image/jpeg")
# The photograph stands upright, and a handset turns the box with it.
SIZE = (480, 640)
TIMES = 10  # a round; the middle one counts
# How much less like the whole photograph ours may be than libvips'.
AS_LIKE = 0.01


def adaptation(stage: Stage) -> list[Figure]:
    """Processor time of decoding, turning, shrinking and encoding below a number of bytes. Raises BenchError."""
    pictures.generate_missing(stage.folder / "pictures")
    photograph = (stage.folder / "pictures" / pictures.PHOTOGRAPH).read_bytes()
    pyvips.cache_set_max(0)  # or it would remember the result
    logging.getLogger("pyvips").setLevel(logging.WARNING)  # or it would tell of each step, which costs it time
    results = {"ours": _ours(photograph), "libvips": _theirs(photograph)}
    notes = _compared(photograph, results)
    ours, theirs = alternate(
        stage.rounds, lambda: _milliseconds(_ours, photograph), lambda: _milliseconds(_theirs, photograph)
    )
    return [
        Figure(
            Series("12 megapixels to 640x480 within 100 KB", "ms of processor", tuple(ours)),
            Series("libvips", "ms of processor", tuple(theirs)),
            at_most(1.0),
            notes,
        )
    ]


def _milliseconds(adapt: Callable[[bytes], bytes], photograph: bytes) -> float:
    return median(_processor_time(adapt, photograph) for _ in range(TIMES)) * 1000


def _processor_time(adapt: Callable[[bytes], bytes], photograph: bytes) -> float:
    """In seconds, of all threads: libvips has several."""
    begin = time.process_time()
    adapt(photograph)
    return time.process_time() - begin


def _ours(photograph: bytes) -> bytes:
    return images.resize(photograph, RECIPE).data


def _theirs(photograph: bytes) -> bytes:
    """The highest quality that fits, with the same subsampling of colours. It is turned upright on the way."""
    small = pyvips.Image.thumbnail_buffer(photograph, SIZE[0], height=SIZE[1], size="down").copy_memory()
    qualities = range(HIGHEST_QUALITY, LOWEST_QUALITY - 1, -1)
    files = (small.jpegsave_buffer(Q=q, keep="none", optimize_coding=True, subsample_mode="on") for q in qualities)
    return bytes(next(file for file in files if len(file) <= RECIPE.max_bytes))


def _compared(photograph: bytes, results: dict[str, bytes]) -> tuple[str, ...]:
    """What the two results are. Raises BenchError where they are not the same in size, or ours is the poorer."""
    whole = ImageOps.exif_transpose(Image.open(BytesIO(photograph))).resize(SIZE, Image.Resampling.LANCZOS)
    opened = {name: Image.open(BytesIO(file)) for name, file in results.items()}
    likeness = {name: ssim(whole, copy) for name, copy in opened.items()}
    notes = tuple(
        f"{name}: {copy.width} x {copy.height}, {len(results[name]):,} bytes, SSIM {likeness[name]:.3f} with the "
        "photograph shrunk whole"
        for name, copy in opened.items()
    )
    sizes = all(copy.size == SIZE and len(results[name]) <= RECIPE.max_bytes for name, copy in opened.items())
    if not sizes or likeness["ours"] < likeness["libvips"] - AS_LIKE:
        raise BenchError(f"not the same result: {'; '.join(notes)}")
    return notes
