"""The figures as a table for people and as JSON to keep."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from simulator.bench.figures import Figure

# What disturbs us disturbs the yardstick more, or less: from this share on, the ratio says little.
QUIET = 0.10


def show(figures: Sequence[Figure], circumstances: Mapping[str, Any], console: Console) -> None:
    """Prints three rows for each figure - measure, yardstick, ratio - and its circumstances below."""
    table = Table("of the rounds", title_justify="left")
    for heading in ("median", "lowest", "highest"):
        table.add_column(heading, justify="right")
    for figure in figures:
        aim = f"ratio: {verdict(figure)} {figure.target:.2f}, wanted {figure.wanted:.2f}"
        _add(table, f"{figure.measured.name}, {figure.measured.unit}", figure.measured.rounds, ",.0f")
        _add(table, f"{figure.yardstick.name}, {figure.yardstick.unit}", figure.yardstick.rounds, ",.0f")
        table.add_row(aim, f"{figure.ratio:.3f}", f"{min(figure.ratios):.3f}", f"{max(figure.ratios):.3f}")
        table.add_section()
    console.print(table)
    for note in (_quiet(circumstances), *(note for figure in figures for note in figure.notes)):
        console.print(f"- {note}", highlight=False, soft_wrap=True)


def _quiet(circumstances: Mapping[str, Any]) -> str:
    before, after = circumstances["busy_before"], circumstances["busy_after"]
    found = f"{circumstances['processors']} processors; other programs took {before:.0%} before, {after:.0%} after"
    return found if max(before, after) < QUIET else f"{found}: NOT A QUIET MACHINE, take the figures again"


def _add(table: Table, name: str, rounds: Sequence[float], style: str) -> None:
    table.add_row(name, *(format(value, style) for value in (median(rounds), min(rounds), max(rounds))))


def verdict(figure: Figure) -> str:
    """Where the ratio stands, before the words "<target>, wanted <wanted>"."""
    return "at or above its target" if figure.ratio >= figure.target else "below its target"


def keep(figures: Sequence[Figure], circumstances: Mapping[str, Any], folder: Path, now: datetime) -> Path:
    """Writes the figures with every round to a file of this moment, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}.json"
    written = [asdict(figure) | {"ratio": figure.ratio, "ratios": figure.ratios} for figure in figures]
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
