"""Whether a process grows with what passes through it: its memory after all the messages, and after a tenth of them."""

from collections.abc import Iterator, Mapping

import psutil  # type: ignore[import-untyped]

from simulator.bench import BenchError
from simulator.bench.figures import Figure, Series, at_most
from simulator.bench.processors import Meter
from simulator.bench.running import Running, running
from simulator.bench.stage import Stage
from simulator.bench.whole_way import PROGRAMS, make_world, play, requests

MB = 1024 * 1024
# Messages that are sent at once: what waits between the steps is held in the database, but bodies are in memory here.
MOST = 5_000


def growth(stage: Stage) -> list[Figure]:
    """Resident memory of every process of the platform. Raises BenchError if one has ended meanwhile."""
    few = max(1, stage.messages // 10)
    with running(stage, slow=0.0) as place:
        make_world(place)
        _play(place, few)
        before = _memory(place)
        _play(place, stage.messages - few)
        after = _memory(place)
    if before.keys() != after.keys():
        raise BenchError(f"the processes changed: {sorted(before)} after {few:,} messages, then {sorted(after)}")
    most = max(after, key=lambda process: after[process] / before[process])
    return [
        Figure(
            Series(f"memory of the process that grew most, after {stage.messages:,} messages", "MB", (after[most],)),
            Series(f"after {few:,} messages", "MB", (before[most],)),
            at_most(1.1),
            tuple(f"{process} {before[process]:.1f} to {after[process]:.1f} MB" for process in sorted(after)),
        )
    ]


def _play(place: Running, messages: int) -> None:
    meter = Meter({})
    for size in portions(messages):
        play(place, place.prompt, requests(size), meter)


def portions(messages: int) -> Iterator[int]:
    while messages > 0:
        yield min(messages, MOST)
        messages -= MOST


def _memory(place: Running) -> Mapping[str, float]:
    """Resident megabytes of the programs and of what they started, by program and process id."""
    found = {}
    for name, pid in place.processes.pids(*PROGRAMS).items():
        program = psutil.Process(pid)
        for process in (program, *program.children(recursive=True)):
            found[f"{name} {process.pid}"] = process.memory_info().rss / MB
    return found
