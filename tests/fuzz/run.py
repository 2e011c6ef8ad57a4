"""Feeds a target with inputs, the same ones for the same seed, and stops at the first that it does not stand."""

import resource
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from types import FrameType

from tests.fuzz.mutation import Given, mutated
from tests.fuzz.targets import Target

SECONDS_MAX = 1.0  # of processor, for one input
MEMORY_MAX = 200  # megabytes that the process may grow by


class TooSlow(Exception):
    """An input took more than its second of processor."""


class Crash(Exception):
    """An input that a parser did not stand; its cause says how."""

    def __init__(self, target: Target, seed: int, number: int, given: Given) -> None:
        super().__init__(f"{target.name}: input {number} of seed {seed}: {given}")
        self.given = given


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a run: how the inputs ended, seconds in all, of the slowest in processor seconds, megabytes grown."""

    endings: Counter[str]
    seconds: float
    slowest: float
    megabytes: float


def given(target: Target, seed: int, number: int) -> Given:
    """The input of that number: known without those before it."""
    return mutated(target.corpus, Random(f"{seed}/{target.name}/{number}"))


def run(target: Target, seed: int, inputs: int) -> Figures:
    """Raises Crash."""
    endings: Counter[str] = Counter()
    began, before, slowest = time.monotonic(), _megabytes(), 0.0
    for number in range(inputs):
        one = given(target, seed, number)
        started = time.process_time()
        try:
            with _limited():
                endings[target.read(one)] += 1
            assert _megabytes() - before < MEMORY_MAX, "the process grew too large"
        except Exception as problem:
            raise Crash(target, seed, number, one) from problem
        slowest = max(slowest, time.process_time() - started)
    return Figures(endings, time.monotonic() - began, slowest, _megabytes() - before)


@contextmanager
def _limited() -> Iterator[None]:
    """Processor time, not the clock's: a busy machine makes nothing slow."""
    before = signal.signal(signal.SIGPROF, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, SECONDS_MAX)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _too_slow(_: int, __: FrameType | None) -> None:
    raise TooSlow(f"more than {SECONDS_MAX:g} s of processor")


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
