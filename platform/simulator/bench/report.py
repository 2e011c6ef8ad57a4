"""The figures as a table for people and as JSON to keep."""

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from rich import box
from rich.console import Console
from rich.table import Table

from simulator.bench.figures import Figure, Series, Target

# What disturbs us disturbs the yardstick more, or less: from this share on, the ratio says little.
QUIET = 0.10
HEADINGS = ("measure, beside its yardstick", "medians", "ratio", "target", "")


def show(figures: Sequence[Figure], circumstances: Mapping[str, Any], console: Console) -> None:
    """Prints a row for each figure; below, in words, what misses its target, and the circumstances."""
    table = Table(*HEADINGS, box=box.SIMPLE, show_lines=True)
    for figure in figures:
        table.add_row(*("\n".join(lines) for lines in _row(figure)))
    console.print(table)
    for line in (*missed(figures), _quiet(circumstances), *_notes(figures)):
        console.print(f"- {line}", highlight=False, soft_wrap=True)


def markdown(figures: Sequence[Figure]) -> str:
    """The same rows, for a document."""
    rows = [HEADINGS, tuple("---" for _ in HEADINGS)]
    rows += [tuple("; ".join(lines) for lines in _row(figure)) for figure in figures]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(figure: Figure) -> tuple[list[str], ...]:
    """The lines of each of its cells."""
    series = [figure.measured, *([figure.yardstick] if figure.yardstick else [])]
    ratio = [number(figure.value), _spread(figure.values)] if figure.yardstick else ["-"]
    aims = [_asked(figure.target), *([f"wanted {number(figure.target.wanted)}"] if figure.target.wanted else [])]
    return [each.name for each in series], [_median(each) for each in series], ratio, aims, [verdict(figure)]


def _median(series: Series) -> str:
    return f"{number(series.median)} {series.unit}"


def _spread(values: Sequence[float]) -> str:
    return f"{number(min(values))} to {number(max(values))}"


def _asked(target: Target) -> str:
    return f"{target.aim} {number(target.bound)}"


def number(value: float) -> str:
    """Three digits that count, and no fractions from a hundred on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def verdict(figure: Figure) -> str:
    return "met" if figure.met else "MISSED"


def missed(figures: Sequence[Figure]) -> Iterator[str]:
    """A sentence for each figure that misses its target."""
    for figure in figures:
        if not figure.met:
            beside = f" beside {figure.yardstick.name}" if figure.yardstick else ""
            asked = f"was to be {_asked(figure.target)} and is {number(figure.value)}"
            yield f"MISSED: {figure.measured.name}{beside} {asked}"


def _notes(figures: Sequence[Figure]) -> Iterator[str]:
    return (f"{figure.measured.name}: {'; '.join(figure.notes)}" for figure in figures if figure.notes)


def _quiet(circumstances: Mapping[str, Any]) -> str:
    before, after = circumstances["busy_before"], circumstances["busy_after"]
    found = f"{circumstances['processors']} processors; other programs took {before:.0%} before, {after:.0%} after"
    return found if max(before, after) < QUIET else f"{found}: NOT A QUIET MACHINE, take the figures again"


def keep(figures: Sequence[Figure], circumstances: Mapping[str, Any], folder: Path, now: datetime) -> Path:
    """Writes the figures with every round to a file of this moment, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}.json"
    written = [asdict(f) | {"value": f.value, "values": f.values, "met": f.met} for f in figures]
    document = {"at": now.isoformat(timespec="seconds"), **circumstances, "figures": written}
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


def machine() -> dict[str, Any]:
    """What the figures are taken on."""
    return {
        "processors": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def busy() -> float:
    """The share of the processors, 0 to 1, that other programs take while we rest for a second."""
    return float(psutil.cpu_percent(interval=1)) / 100
