"""Figures: a measurement and its baseline, in alternating rounds so that other load on the machine affects both."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import TypeVar

Measured = TypeVar("Measured")
Baseline = TypeVar("Baseline")


class Aim(StrEnum):
    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, slots=True)
class Target:
    """Target of a figure: the required bound, and an optional stretch goal."""

    aim: Aim
    bound: float
    stretch: float | None = None

    def is_met_by(self, value: float) -> bool:
        return value >= self.bound if self.aim is Aim.AT_LEAST else value <= self.bound


def at_least(bound: float, stretch: float | None = None) -> Target:
    """Return the target of a figure that must not fall below the bound."""
    return Target(Aim.AT_LEAST, bound, stretch)


def at_most(bound: float, stretch: float | None = None) -> Target:
    """Return the target of a figure that must not exceed the bound."""
    return Target(Aim.AT_MOST, bound, stretch)


@dataclass(frozen=True, slots=True)
class Series:
    """The measured values of all rounds."""

    name: str
    unit: str
    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.rounds)


@dataclass(frozen=True, slots=True)
class Figure:
    """A measurement and its baseline. Without a baseline, the target applies to the measurement itself."""

    measured: Series
    baseline: Series | None
    target: Target
    notes: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        """The value compared with the target: the ratio of the medians, or the median if there is no baseline."""
        return self.measured.median / (self.baseline.median if self.baseline else 1)

    @property
    def values(self) -> tuple[float, ...]:
        """The value of each round; their spread shows how reliable the figure is."""
        if self.baseline is None:
            return self.measured.rounds
        pairs = zip(self.measured.rounds, self.baseline.rounds, strict=True)
        return tuple(measured / baseline for measured, baseline in pairs)

    @property
    def is_met(self) -> bool:
        return self.target.is_met_by(self.value)


def alternate(
    rounds: int, measure: Callable[[], Measured], baseline: Callable[[], Baseline]
) -> tuple[list[Measured], list[Baseline]]:
    """Call both functions alternately (A B A B) and return their results."""
    pairs = [(measure(), baseline()) for _ in range(rounds)]
    return [measured for measured, _ in pairs], [compared for _, compared in pairs]
