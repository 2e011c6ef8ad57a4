"""Figures, their report, and the parser of pgbench's output."""

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from simulator.bench import BenchError, pgbench, report
from simulator.bench.figures import Figure, Series, Target, alternate, at_least, at_most

TARGET = at_least(0.2, stretch=0.5)


def figure(measured: tuple[float, ...], limit: tuple[float, ...], target: Target = TARGET) -> Figure:
    return Figure(Series("accepted", "requests/s", measured), Series("inserts", "inserts/s", limit), target)


def without_baseline(*measured: float) -> Figure:
    return Figure(Series("CPU time per message", "ms", measured), None, at_most(6, stretch=4), ("a note",))


def shown(*figures: Figure, before: float = 0.0, after: float = 0.0) -> str:
    output = StringIO()
    conditions = {"processors": 2, "busy_before": before, "busy_after": after}
    report.print_report(figures, conditions, Console(file=output, width=200))
    return output.getvalue()


def test_measurement_and_baseline_alternate() -> None:
    calls: list[str] = []

    def call(name: str) -> int:
        calls.append(name)
        return len(calls)

    measured, limits = alternate(3, lambda: call("A"), lambda: call("B"))

    assert calls == ["A", "B", "A", "B", "A", "B"]
    assert (measured, limits) == ([1, 3, 5], [2, 4, 6])


def test_outlier_changes_neither_median_nor_ratio() -> None:
    result = figure((100, 9, 110), (1000, 1000, 90_000))

    assert result.value == 0.1
    assert result.values == (0.1, 0.009, 110 / 90_000)


def test_target_applies_to_the_median_without_a_baseline() -> None:
    result = without_baseline(7, 5, 6)

    assert (result.value, result.values, result.is_met) == (6, (7, 5, 6), True)


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
def test_target_is_a_lower_or_an_upper_bound(target: Target, value: float, met: bool) -> None:
    assert figure((value,), (1.0,), target).is_met is met


def test_missed_targets_are_listed() -> None:
    output = shown(figure((0.1,), (1.0,)), without_baseline(7.25), figure((3,), (1.0,)))

    assert "- MISSED: accepted relative to inserts: target at least 0.2, result 0.1\n" in output
    assert "- MISSED: CPU time per message: target at most 6, result 7.25\n" in output
    assert output.count("- MISSED") == 2
    assert "- CPU time per message: a note\n" in output


@pytest.mark.parametrize(("before", "after", "warned"), [(0.0, 0.05, False), (0.5, 0.0, True), (0.0, 0.5, True)])
def test_busy_machine_is_reported(before: float, after: float, warned: bool) -> None:
    output = shown(figure((1,), (4,)), before=before, after=after)

    assert f"other programs used {before:.0%} before, {after:.0%} after" in output
    assert ("MACHINE NOT IDLE" in output) is warned


def test_markdown_contains_one_row_per_figure() -> None:
    assert report.markdown(
        [figure((1234.5, 1, 9999), (2000,) * 3, at_least(0.2)), without_baseline(7.25)]
    ).splitlines() == [
        "| measurement; baseline | medians | ratio | target |  |",
        "| --- | --- | --- | --- | --- |",
        "| accepted; inserts | 1,234 requests/s; 2,000 inserts/s | 0.617; 0.0005 to 5 | at least 0.2 | met |",
        "| CPU time per message | 7.25 ms | - | at most 6; stretch 4 | MISSED |",
    ]


def test_saved_file_contains_every_round(tmp_path: Path) -> None:
    now = datetime(2026, 11, 22, 13, 5, 9, tzinfo=UTC)

    path = report.save([figure((1, 2), (4, 4))], {"processors": 2}, tmp_path / "bench", now)

    saved = json.loads(path.read_text())
    assert path.name == "2026-11-22T13-05-09Z.json"
    assert saved["processors"] == 2
    assert saved["figures"][0]["measured"]["rounds"] == [1, 2]
    assert saved["figures"][0]["values"] == [0.25, 0.5]
    assert saved["figures"][0]["value"] == 0.375
    assert saved["figures"][0]["target"] == {"aim": "at least", "bound": 0.2, "stretch": 0.5}
    assert saved["figures"][0]["met"] is True


CLEAN = """pgbench (18.6)
number of clients: 32
number of transactions actually processed: 53122
number of failed transactions: 0 (0.000%)
latency average = 1.719 ms
initial connection time = 60.002 ms
tps = 18616.338095 (without initial connection time)
"""


def test_rate_excludes_the_connection_time() -> None:
    assert pgbench.parse_rate(CLEAN) == 18616.338095


@pytest.mark.parametrize(
    "output",
    [
        "",
        CLEAN.replace("transactions: 0 (", "transactions: 7 ("),
        CLEAN.replace("tps = 18616.338095", "tps = nan"),
    ],
)
def test_pgbench_run_with_errors_raises_bench_error(output: str) -> None:
    with pytest.raises(BenchError, match="not a clean run"):
        pgbench.parse_rate(output)
