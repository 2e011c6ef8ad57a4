"""Report of the benchmarks: a table on the console and a JSON file."""

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

# Other load affects measurement and baseline differently: above this share, the ratio is unreliable.
MAX_OTHER_LOAD = 0.10
HEADINGS = ("measurement; baseline", "medians", "ratio", "target", "")


def print_report(figures: Sequence[Figure], conditions: Mapping[str, Any], console: Console) -> None:
    """Print a table of the figures, then the missed targets, the load of the machine and the notes."""
    table = Table(*HEADINGS, box=box.SIMPLE, show_lines=True)
    for figure in figures:
        table.add_row(*("\n".join(lines) for lines in _row(figure)))
    console.print(table)
    for line in (*missed_targets(figures), _machine_load(conditions), *_notes(figures)):
        console.print(f"- {line}", highlight=False, soft_wrap=True)


def markdown(figures: Sequence[Figure]) -> str:
    """Return the table in Markdown."""
    rows = [HEADINGS, tuple("---" for _ in HEADINGS)]
    rows += [tuple("; ".join(lines) for lines in _row(figure)) for figure in figures]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(figure: Figure) -> tuple[list[str], ...]:
    """Return the lines of each cell."""
    series = [figure.measured, *([figure.baseline] if figure.baseline else [])]
    ratio = [format_number(figure.value), _spread(figure.values)] if figure.baseline else ["-"]
    stretch = figure.target.stretch
    targets = [_format_target(figure.target), *([f"stretch {format_number(stretch)}"] if stretch else [])]
    return [each.name for each in series], [_median(each) for each in series], ratio, targets, [verdict(figure)]


def _median(series: Series) -> str:
    return f"{format_number(series.median)} {series.unit}"


def _spread(values: Sequence[float]) -> str:
    return f"{format_number(min(values))} to {format_number(max(values))}"


def _format_target(target: Target) -> str:
    return f"{target.aim} {format_number(target.bound)}"


def format_number(value: float) -> str:
    """Format with three significant digits, and without decimals from 100."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def verdict(figure: Figure) -> str:
    """Return whether the figure meets its target, as text."""
    return "met" if figure.is_met else "MISSED"


def missed_targets(figures: Sequence[Figure]) -> Iterator[str]:
    """Yield a sentence for each figure that misses its target."""
    for figure in figures:
        if not figure.is_met:
            relation = f" relative to {figure.baseline.name}" if figure.baseline else ""
            target, value = _format_target(figure.target), format_number(figure.value)
            yield f"MISSED: {figure.measured.name}{relation}: target {target}, result {value}"


def _notes(figures: Sequence[Figure]) -> Iterator[str]:
    return (f"{figure.measured.name}: {'; '.join(figure.notes)}" for figure in figures if figure.notes)


def _machine_load(conditions: Mapping[str, Any]) -> str:
    before, after = conditions["busy_before"], conditions["busy_after"]
    load = f"{conditions['processors']} processors; other programs used {before:.0%} before, {after:.0%} after"
    return load if max(before, after) < MAX_OTHER_LOAD else f"{load}: MACHINE NOT IDLE, repeat the run"


def save(figures: Sequence[Figure], conditions: Mapping[str, Any], folder: Path, now: datetime) -> Path:
    """Write the figures with all rounds to a file named after the time, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}.json"
    written = [asdict(f) | {"value": f.value, "values": f.values, "met": f.is_met} for f in figures]
    document = {"at": now.isoformat(timespec="seconds"), **conditions, "figures": written}
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


def machine() -> dict[str, Any]:
    """Return a description of the machine."""
    return {
        "processors": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def other_load() -> float:
    """Return the share of the processors, 0 to 1, that other programs use during one second."""
    return float(psutil.cpu_percent(interval=1)) / 100
