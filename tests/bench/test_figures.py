"""Figures are medians of rounds taken in turns, and say how far the rounds differ."""

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from simulator.bench import BenchError, report, yardstick
from simulator.bench.figures import Figure, Series, Target, alternate, at_least, at_most

TARGET = at_least(0.2, wanted=0.5)


def figure(measured: tuple[float, ...], limit: tuple[float, ...], target: Target = TARGET) -> Figure:
    return Figure(Series("accepted", "requests/s", measured), Series("inserts", "inserts/s", limit), target)


def alone(*measured: float) -> Figure:
    return Figure(Series("processor time a message", "ms", measured), None, at_most(6, wanted=4), ("a note",))


def shown(*figures: Figure, before: float = 0.0, after: float = 0.0) -> str:
    said = StringIO()
    circumstances = {"processors": 2, "busy_before": before, "busy_after": after}
    report.show(figures, circumstances, Console(file=said, width=200))
    return said.getvalue()


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

    assert taken.value == 0.1
    assert taken.values == (0.1, 0.009, 110 / 90_000)


def test_a_figure_without_a_yardstick_is_itself_held_against_its_target() -> None:
    taken = alone(7, 5, 6)

    assert (taken.value, taken.values, taken.met) == (6, (7, 5, 6), True)


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        (at_least(0.2), 0.19, False),
        (at_least(0.2), 0.2, True),
        (at_least(0.2), 0.6, True),
        (at_most(2.0), 1.9, True),
        (at_most(2.0), 2.0, True),
        (at_most(2.0), 2.1, False),
    ],
)
def test_a_target_is_a_floor_or_a_ceiling(target: Target, value: float, met: bool) -> None:
    assert figure((value,), (1.0,), target).met is met


def test_what_misses_its_target_is_said_in_words() -> None:
    said = shown(figure((0.1,), (1.0,)), alone(7.25), figure((3,), (1.0,)))

    assert "- MISSED: accepted beside inserts was to be at least 0.2 and is 0.1\n" in said
    assert "- MISSED: processor time a message was to be at most 6 and is 7.25\n" in said
    assert said.count("- MISSED") == 2
    assert "- processor time a message: a note\n" in said


@pytest.mark.parametrize(("before", "after", "warned"), [(0.0, 0.05, False), (0.5, 0.0, True), (0.0, 0.5, True)])
def test_figures_of_a_busy_machine_say_so(before: float, after: float, warned: bool) -> None:
    said = shown(figure((1,), (4,)), before=before, after=after)

    assert f"other programs took {before:.0%} before, {after:.0%} after" in said
    assert ("NOT A QUIET MACHINE" in said) is warned


def test_the_rows_are_printed_for_a_document_too() -> None:
    assert report.markdown([figure((1234.5, 1, 9999), (2000,) * 3, at_least(0.2)), alone(7.25)]).splitlines() == [
        "| measure, beside its yardstick | medians | ratio | target |  |",
        "| --- | --- | --- | --- | --- |",
        "| accepted; inserts | 1,234 requests/s; 2,000 inserts/s | 0.617; 0.0005 to 5 | at least 0.2 | met |",
        "| processor time a message | 7.25 ms | - | at most 6; wanted 4 | MISSED |",
    ]


def test_every_round_is_kept(tmp_path: Path) -> None:
    now = datetime(2026, 11, 22, 13, 5, 9, tzinfo=UTC)

    path = report.keep([figure((1, 2), (4, 4))], {"processors": 2}, tmp_path / "bench", now)

    kept = json.loads(path.read_text())
    assert path.name == "2026-11-22T13-05-09Z.json"
    assert kept["processors"] == 2
    assert kept["figures"][0]["measured"]["rounds"] == [1, 2]
    assert kept["figures"][0]["values"] == [0.25, 0.5]
    assert kept["figures"][0]["value"] == 0.375
    assert kept["figures"][0]["target"] == {"aim": "at least", "bound": 0.2, "wanted": 0.5}
    assert kept["figures"][0]["met"] is True


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
