"""Benchmark of adapting a 12-megapixel photograph, compared with libvips, the most efficient library known."""

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
from simulator.bench.environment import Environment
from simulator.bench.figures import Figure, Series, alternate, at_most
from simulator.demo import pictures

RECIPE = Recipe(640, 480, 100_000, "image/jpeg")
# The upright photograph fits the rotated box.
SIZE = (480, 640)
REPETITIONS = 10  # per round, of which the median counts
# By how much our similarity to the original may be lower than that of libvips.
SIMILARITY_TOLERANCE = 0.01


def measure_adaptation(environment: Environment) -> list[Figure]:
    """Measure the CPU time of decoding, rotating, scaling and encoding within a size limit. Raises BenchError."""
    pictures.generate_missing(environment.folder / "pictures")
    photograph = (environment.folder / "pictures" / pictures.PHOTOGRAPH).read_bytes()
    pyvips.cache_set_max(0)  # libvips would cache the result
    logging.getLogger("pyvips").setLevel(logging.WARNING)  # logging each step would take time
    results = {"ours": _ours(photograph), "libvips": _libvips(photograph)}
    notes = _compare(photograph, results)
    ours, libvips = alternate(
        environment.rounds, lambda: _milliseconds(_ours, photograph), lambda: _milliseconds(_libvips, photograph)
    )
    return [
        Figure(
            Series("12-megapixel JPEG to 640x480, at most 100 KB", "ms CPU", tuple(ours)),
            Series("libvips", "ms CPU", tuple(libvips)),
            at_most(1.0),
            notes,
        )
    ]


def _milliseconds(adapt: Callable[[bytes], bytes], photograph: bytes) -> float:
    return median(_cpu_time(adapt, photograph) for _ in range(REPETITIONS)) * 1000


def _cpu_time(adapt: Callable[[bytes], bytes], photograph: bytes) -> float:
    """Return the CPU time in seconds, of all threads: libvips uses several."""
    begin = time.process_time()
    adapt(photograph)
    return time.process_time() - begin


def _ours(photograph: bytes) -> bytes:
    return images.resize(photograph, RECIPE).data


def _libvips(photograph: bytes) -> bytes:
    """Encode with the highest quality that fits and the same chroma subsampling; libvips also rotates the picture."""
    small = pyvips.Image.thumbnail_buffer(photograph, SIZE[0], height=SIZE[1], size="down").copy_memory()
    qualities = range(HIGHEST_QUALITY, LOWEST_QUALITY - 1, -1)
    files = (small.jpegsave_buffer(Q=q, keep="none", optimize_coding=True, subsample_mode="on") for q in qualities)
    return bytes(next(file for file in files if len(file) <= RECIPE.max_bytes))


def _compare(photograph: bytes, results: dict[str, bytes]) -> tuple[str, ...]:
    """Describe both results. Raises BenchError if their sizes differ or ours is of lower quality."""
    original = ImageOps.exif_transpose(Image.open(BytesIO(photograph))).resize(SIZE, Image.Resampling.LANCZOS)
    opened = {name: Image.open(BytesIO(file)) for name, file in results.items()}
    similarity = {name: ssim(original, copy) for name, copy in opened.items()}
    notes = tuple(
        f"{name}: {copy.width} x {copy.height}, {len(results[name]):,} bytes, SSIM {similarity[name]:.3f} to the "
        "scaled original"
        for name, copy in opened.items()
    )
    same_sizes = all(copy.size == SIZE and len(results[name]) <= RECIPE.max_bytes for name, copy in opened.items())
    if not same_sizes or similarity["ours"] < similarity["libvips"] - SIMILARITY_TOLERANCE:
        raise BenchError(f"the results differ: {'; '.join(notes)}")
    return notes
