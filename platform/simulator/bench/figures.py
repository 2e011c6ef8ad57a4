"""Figures: a measure beside its yardstick, taken in turns so that a busy moment of the machine meets both. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import TypeVar

Measured = TypeVar("Measured")
Yardstick = TypeVar("Yardstick")


class Aim(StrEnum):
    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is held against: the bound that is asked for, and the one hoped for, if there is one."""

    aim: Aim
    bound: float
    wanted: float | None = None

    def met_by(self, value: float) -> bool:
        return value >= self.bound if self.aim is Aim.AT_LEAST else value <= self.bound


def at_least(bound: float, wanted: float | None = None) -> Target:
    return Target(Aim.AT_LEAST, bound, wanted)


def at_most(bound: float, wanted: float | None = None) -> Target:
    return Target(Aim.AT_MOST, bound, wanted)


@dataclass(frozen=True, slots=True)
class Series:
    """What one thing reached in each round."""

    name: str
    unit: str
    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.rounds)


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure and its yardstick, round by round. One without a yardstick is itself held against its target."""

    measured: Series
    yardstick: Series | None
    target: Target
    notes: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        """What the target is about: the ratio of the medians, or the median where there is no yardstick."""
        return self.measured.median / (self.yardstick.median if self.yardstick else 1)

    @property
    def values(self) -> tuple[float, ...]:
        """Each round's own value: their spread says how far the figure can be trusted."""
        if self.yardstick is None:
            return self.measured.rounds
        pairs = zip(self.measured.rounds, self.yardstick.rounds, strict=True)
        return tuple(measured / yardstick for measured, yardstick in pairs)

    @property
    def met(self) -> bool:
        return self.target.met_by(self.value)


def alternate(
    rounds: int, measure: Callable[[], Measured], yardstick: Callable[[], Yardstick]
) -> tuple[list[Measured], list[Yardstick]]:
    """The results of both, called in turns: A B A B."""
    pairs = [(measure(), yardstick()) for _ in range(rounds)]
    return [measured for measured, _ in pairs], [yard for _, yard in pairs]
