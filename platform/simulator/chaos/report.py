"""Report of a run: tables on the console and a JSON file."""

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
from simulator.chaos.customers import count_results
from simulator.chaos.evidence import Entry, Evidence
from simulator.chaos.outcomes import index_log, is_refused
from simulator.chaos.plan import Fault

MAX_BREACHES_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Run:
    """A run and its results. `drained` is the drain time in seconds, or None if the backlog did not drain."""

    seed: int
    messages: int
    seconds: float
    faults: Sequence[Fault]
    drained: float | None
    evidence: Evidence
    breaches: Sequence[Breach]


def figures(run: Run) -> Mapping[str, Mapping[str, Any]]:
    """Return all figures, by table."""
    mmsc_log = index_log(run.evidence)
    return {
        "faults": dict(Counter(fault.kind.value for fault in run.faults).most_common()),
        "customers": {**count_results(run.evidence.results), **_failed_attempts(run.evidence)},
        "messages by outcome": checks.count_outcomes(run.evidence, mmsc_log),
        "acknowledged, never accepted by the MMSC": checks.count_never_accepted(run.evidence, mmsc_log),
        "submits": _submits([entry for entries in mmsc_log.submits.values() for entry in entries]),
        "postbacks": _postbacks(run.evidence),
        "time": {
            "seconds of load and faults": round(run.seconds),
            "seconds to drain": "did not drain" if run.drained is None else round(run.drained),
        },
        "breaches": {rule: sum(breach.rule == rule for breach in run.breaches) for rule in checks.RULES},
    }


def _failed_attempts(evidence: Evidence) -> Mapping[str, int]:
    return {
        "failed connections": sum(result.unanswered for result in evidence.results),
        "E503 answers": sum(result.unavailable for result in evidence.results),
        "unanswered without a key": sum(not result.is_answered and not result.keyed for result in evidence.results),
    }


def _submits(entries: Sequence[Entry]) -> Mapping[str, int]:
    ddms = sum(str(entry["transaction_id"]).startswith("discovery-") for entry in entries)
    return {
        "content": len(entries) - ddms,
        "DDMs": ddms,
        "refused or disconnected": sum(is_refused(entry) for entry in entries),
        "accepted twice": sum(entry["duplicate"] for entry in entries),
    }


def _postbacks(evidence: Evidence) -> Mapping[str, int]:
    received = [entry for entry in evidence.log if entry["kind"] == "postback"]
    delivered = Counter(entry["headers"].get("X-MMS-Event-Id") for entry in received if entry["status"] == 200)
    return {
        "stored": sum(len(message.postbacks) for message in evidence.messages),
        "received": len(received),
        "received again": sum(delivered.values()) - len(delivered),
    }


def print_report(run: Run, console: Console) -> None:
    """Print the tables, then the breaches."""
    table = Table(title=f"chaos --seed {run.seed} --messages {run.messages}", title_justify="left", show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="left")
    table.add_column(justify="right")
    for heading, section in figures(run).items():
        for position, (name, figure) in enumerate(section.items()):
            shown = f"{figure:,}" if isinstance(figure, int) else str(figure)
            table.add_row("" if position else heading, name, shown)
        table.add_section()
    console.print(table)
    for breach in run.breaches[:MAX_BREACHES_SHOWN]:
        console.print(f"BREACH  {breach}", markup=False, highlight=False, soft_wrap=True)
    if len(run.breaches) > MAX_BREACHES_SHOWN:
        console.print(f"... and {len(run.breaches) - MAX_BREACHES_SHOWN} more")


def save(run: Run, folder: Path, now: datetime) -> Path:
    """Write plan, figures and breaches to a file named after the time, and return its path."""
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
