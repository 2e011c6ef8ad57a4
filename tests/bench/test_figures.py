"""Figures are medians of rounds taken in turns, and say how far the rounds differ."""

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from simulator.bench import BenchError, report, yardstick
from simulator.bench.figures import Figure, Series, alternate


def figure(measured: tuple[float, ...], limit: tuple[float, ...]) -> Figure:
    return Figure(Series("accepted", "requests/s", measured), Series("inserts", "inserts/s", limit), 0.2, 0.5)


def test_measure_and_yardstick_take_turns() -> None:
    calls: list[str] = []

    def called(name: str) -> int:
        calls.append(name)
        return len(calls)

    measured, limits = alternate(3, lambda: called("A"), lambda: called("B"))

    assert calls == ["A", "B", "A", "B", "A", "B"]
    assert (measured, limits) == ([1, 3, 5], [2, 4, 6])


def test_one_odd_round_moves_neither_median_nor_ratio() -> None:
    taken = figure((100, 9, 110), (1000, 1000, 90_000))

    assert taken.ratio == 0.1
    assert taken.ratios == (0.1, 0.009, 110 / 90_000)


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (0.19, "below its target"),
        (0.2, "at or above its target"),
        (0.6, "at or above its target"),
    ],
)
def test_a_figure_is_held_against_its_target(measured: float, words: str) -> None:
    assert report.verdict(figure((measured,), (1.0,))) == words


@pytest.mark.parametrize(("before", "after", "warned"), [(0.0, 0.05, False), (0.5, 0.0, True), (0.0, 0.5, True)])
def test_figures_of_a_busy_machine_say_so(before: float, after: float, warned: bool) -> None:
    said = StringIO()
    circumstances = {"processors": 2, "busy_before": before, "busy_after": after}

    report.show([figure((1,), (4,))], circumstances, Console(file=said, width=200))

    assert f"other programs took {before:.0%} before, {after:.0%} after" in said.getvalue()
    assert ("NOT A QUIET MACHINE" in said.getvalue()) is warned


def test_every_round_is_kept(tmp_path: Path) -> None:
    now = datetime(2026, 11, 22, 13, 5, 9, tzinfo=UTC)

    path = report.keep([figure((1, 2), (4, 4))], {"processors": 2}, tmp_path / "bench", now)

    kept = json.loads(path.read_text())
    assert path.name == "2026-11-22T13-05-09Z.json"
    assert kept["processors"] == 2
    assert kept["figures"][0]["measured"]["rounds"] == [1, 2]
    assert kept["figures"][0]["ratios"] == [0.25, 0.5]
    assert kept["figures"][0]["ratio"] == 0.375


CLEAN = """pgbench (18.6)
number of clients: 32
number of transactions actually processed: 53122
number of failed transactions: 0 (0.000%)
latency average = 1.719 ms
initial connection time = 60.002 ms
tps = 18616.338095 (without initial connection time)
"""


def test_the_rate_is_the_one_without_the_time_to_connect() -> None:
    assert yardstick.rate(CLEAN) == 18616.338095


@pytest.mark.parametrize(
    "said",
    [
        "",
        CLEAN.replace("transactions: 0 (", "transactions: 7 ("),
        CLEAN.replace("tps = 18616.338095", "tps = nan"),
    ],
)
def test_a_run_of_pgbench_that_is_not_clean_gives_no_rate(said: str) -> None:
    with pytest.raises(BenchError, match="not a clean run"):
        yardstick.rate(said)
