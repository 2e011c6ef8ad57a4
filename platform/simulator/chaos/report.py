"""The figures of a run, as tables for people and as JSON to keep."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from simulator.chaos import checks
from simulator.chaos.checks import Breach
from simulator.chaos.customers import progress
from simulator.chaos.ends import network, refused
from simulator.chaos.evidence import Entry, Evidence
from simulator.chaos.plan import Fault

BREACHES_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Run:
    """What a run was, and what came of it; `drained` in seconds, None where the backlog did not drain."""

    seed: int
    messages: int
    seconds: float
    faults: Sequence[Fault]
    drained: float | None
    evidence: Evidence
    breaches: Sequence[Breach]


def figures(run: Run) -> Mapping[str, Mapping[str, Any]]:
    """Every figure, by the table that it belongs to."""
    seen = network(run.evidence)
    return {
        "faults": dict(Counter(fault.kind.value for fault in run.faults).most_common()),
        "customers": {**progress(run.evidence.asked), **_tries(run.evidence)},
        "messages by their end": checks.ends(run.evidence, seen),
        "submits": _submits([entry for entries in seen.submits.values() for entry in entries]),
        "postbacks": _postbacks(run.evidence),
        "time": {
            "seconds of load and faults": round(run.seconds),
            "seconds to drain": "did not drain" if run.drained is None else round(run.drained),
        },
        "breaches": {rule: sum(breach.rule == rule for breach in run.breaches) for rule in checks.RULES},
    }


def _tries(evidence: Evidence) -> Mapping[str, int]:
    return {
        "connections that died": sum(asked.unanswered for asked in evidence.asked),
        "answers of E503": sum(asked.unavailable for asked in evidence.asked),
        "unknown, without a key": sum(not asked.known and not asked.keyed for asked in evidence.asked),
    }


def _submits(entries: Sequence[Entry]) -> Mapping[str, int]:
    ddms = sum(str(entry["transaction_id"]).startswith("discovery-") for entry in entries)
    return {
        "content": len(entries) - ddms,
        "DDMs": ddms,
        "refused or cut off": sum(refused(entry) for entry in entries),
        "taken twice": sum(entry["duplicate"] for entry in entries),
    }


def _postbacks(evidence: Evidence) -> Mapping[str, int]:
    received = [entry for entry in evidence.log if entry["kind"] == "postback"]
    taken = Counter(entry["headers"].get("X-MMS-Event-Id") for entry in received if entry["status"] == 200)
    return {
        "written": sum(len(story.told) for story in evidence.stories),
        "received": len(received),
        "received again": sum(taken.values()) - len(taken),
    }


def show(run: Run, console: Console) -> None:
    """Prints the tables, then the breaches by message."""
    table = Table(title=f"chaos --seed {run.seed} --messages {run.messages}", title_justify="left", show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="left")
    table.add_column(justify="right")
    for heading, found in figures(run).items():
        for position, (name, figure) in enumerate(found.items()):
            shown = f"{figure:,}" if isinstance(figure, int) else str(figure)
            table.add_row("" if position else heading, name, shown)
        table.add_section()
    console.print(table)
    for breach in run.breaches[:BREACHES_SHOWN]:
        console.print(f"BREACH  {breach}", markup=False, highlight=False, soft_wrap=True)
    if len(run.breaches) > BREACHES_SHOWN:
        console.print(f"... and {len(run.breaches) - BREACHES_SHOWN} more")


def keep(run: Run, folder: Path, now: datetime) -> Path:
    """Writes plan, figures and breaches to a file of this moment, and returns its path."""
    path = folder / f"{now.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}.json"
    document = {
        "at": now.isoformat(timespec="seconds"),
        "seed": run.seed,
        "messages": run.messages,
        "plan": [asdict(fault) for fault in run.faults],
        "figures": figures(run),
        "breaches": [str(breach) for breach in run.breaches],
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path
