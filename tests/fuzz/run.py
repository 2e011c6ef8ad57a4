"""Run a target on reproducible random inputs and stop at the first crash."""

import resource
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from types import FrameType

from tests.fuzz.mutation import FuzzInput, mutate
from tests.fuzz.targets import Target

SECONDS_MAX = 1.0  # of processor time per input
MEMORY_MAX = 200  # megabytes of process growth


class TooSlow(Exception):
    """An input exceeded the limit of processor time."""


class Crash(Exception):
    """A parser crashed on an input; the cause is the error."""

    def __init__(self, target: Target, seed: int, number: int, fuzz_input: FuzzInput) -> None:
        super().__init__(f"{target.name}: input {number} of seed {seed}: {fuzz_input}")
        self.fuzz_input = fuzz_input


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of a run: outcomes, total seconds, processor seconds of the slowest input, megabytes of growth."""

    outcomes: Counter[str]
    seconds: float
    slowest: float
    megabytes: float


def make_input(target: Target, seed: int, number: int) -> FuzzInput:
    """Return the input with this number, independently of those before it."""
    return mutate(target.corpus, Random(f"{seed}/{target.name}/{number}"))


def run(target: Target, seed: int, inputs: int) -> Statistics:
    """Run the target on the first `inputs` inputs of the seed. Raises Crash."""
    outcomes: Counter[str] = Counter()
    began, before, slowest = time.monotonic(), _megabytes(), 0.0
    for number in range(inputs):
        fuzz_input = make_input(target, seed, number)
        started = time.process_time()
        try:
            with _limited():
                outcomes[target.read(fuzz_input)] += 1
            assert _megabytes() - before < MEMORY_MAX, "the process grew too large"
        except Exception as problem:
            raise Crash(target, seed, number, fuzz_input) from problem
        slowest = max(slowest, time.process_time() - started)
    return Statistics(outcomes, time.monotonic() - began, slowest, _megabytes() - before)


@contextmanager
def _limited() -> Iterator[None]:
    """Limit processor time rather than wall-clock time, so that a busy machine causes no failures."""
    before = signal.signal(signal.SIGPROF, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, SECONDS_MAX)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _too_slow(_: int, __: FrameType | None) -> None:
    raise TooSlow(f"more than {SECONDS_MAX:g} s of processor time")


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
