"""Benchmark of memory growth: memory of the processes after all messages, compared with after a tenth of them."""

from collections.abc import Iterator, Mapping

import psutil  # type: ignore[import-untyped]

from simulator.bench import BenchError
from simulator.bench.cpu_time import CpuMeter
from simulator.bench.end_to_end import PROGRAMS, prepare_data, requests, run_round
from simulator.bench.environment import Environment
from simulator.bench.figures import Figure, Series, at_most
from simulator.bench.platform_processes import RunningPlatform, running_platform

MB = 1024 * 1024
# Messages per batch, because this process keeps the bodies of a batch in memory.
BATCH_SIZE = 5_000


def measure_growth(environment: Environment) -> list[Figure]:
    """Measure the resident memory of every process of the platform. Raises BenchError if a process has exited."""
    initial = max(1, environment.messages // 10)
    with running_platform(environment, slow_delay=0.0) as platform:
        prepare_data(platform)
        _send(platform, initial)
        before = _resident_memory(platform)
        _send(platform, environment.messages - initial)
        after = _resident_memory(platform)
    if before.keys() != after.keys():
        raise BenchError(f"the processes changed: {sorted(before)} after {initial:,} messages, then {sorted(after)}")
    fastest = max(after, key=lambda process: after[process] / before[process])
    return [
        Figure(
            Series(
                f"memory of the fastest-growing process after {environment.messages:,} messages",
                "MB",
                (after[fastest],),
            ),
            Series(f"after {initial:,} messages", "MB", (before[fastest],)),
            at_most(1.1),
            tuple(f"{process} {before[process]:.1f} to {after[process]:.1f} MB" for process in sorted(after)),
        )
    ]


def _send(platform: RunningPlatform, messages: int) -> None:
    meter = CpuMeter({})
    for size in batch_sizes(messages):
        run_round(platform, platform.fast_port, requests(size), meter)


def batch_sizes(messages: int) -> Iterator[int]:
    """Yield the sizes of the batches for this number of messages."""
    while messages > 0:
        yield min(messages, BATCH_SIZE)
        messages -= BATCH_SIZE


def _resident_memory(platform: RunningPlatform) -> Mapping[str, float]:
    """Return the resident megabytes of the programs and their children, by program and process id."""
    found = {}
    for name, pid in platform.processes.pids(*PROGRAMS).items():
        program = psutil.Process(pid)
        for process in (program, *program.children(recursive=True)):
            found[f"{name} {process.pid}"] = process.memory_info().rss / MB
    return found
