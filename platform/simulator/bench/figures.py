"""Figures: a measure beside its yardstick, taken in turns so that a busy moment of the machine meets both. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

Measured = TypeVar("Measured")
Yardstick = TypeVar("Yardstick")


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
    """A measure and its yardstick, round by round, with the ratio that is asked for and the one hoped for."""

    measured: Series
    yardstick: Series
    target: float
    wanted: float
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        return self.measured.median / self.yardstick.median

    @property
    def ratios(self) -> tuple[float, ...]:
        """Each round's own ratio: their spread says how far the figure can be trusted."""
        pairs = zip(self.measured.rounds, self.yardstick.rounds, strict=True)
        return tuple(measured / yardstick for measured, yardstick in pairs)


def alternate(
    rounds: int, measure: Callable[[], Measured], yardstick: Callable[[], Yardstick]
) -> tuple[list[Measured], list[Yardstick]]:
    """The results of both, called in turns: A B A B."""
    pairs = [(measure(), yardstick()) for _ in range(rounds)]
    return [measured for measured, _ in pairs], [yard for _, yard in pairs]
