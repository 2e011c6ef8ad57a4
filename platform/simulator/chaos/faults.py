"""Doing what the plan says: each fault is struck at its moment and mended when it has lasted long enough."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from simulator.chaos.plan import Fault, Kind
from simulator.chaos.stage import Stage

Step = Callable[[], None]
LOOK = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Means:
    """How a kind of fault is struck, and mended."""

    strike: Step
    mend: Step


def means(stage: Stage) -> dict[Kind, Means]:
    """How each kind is done to this platform."""
    servers = stage.servers
    return {
        Kind.WEB: _killed(stage, "web"),
        Kind.FIRST_WORKER: _killed(stage, "worker-1"),
        Kind.SECOND_WORKER: _killed(stage, "worker-2"),
        Kind.NOTIFIER: _killed(stage, "notifier"),
        Kind.BEAT: _killed(stage, "beat"),
        Kind.REDIS_FLUSHED: Means(servers.flush_redis, _nothing),
        Kind.REDIS_STOPPED: Means(servers.stop_redis, servers.start_redis),
        Kind.POSTGRES_RESTARTED: Means(servers.stop_postgres, servers.start_postgres),
        Kind.POSTGRES_KILLED: Means(servers.kill_postgres, servers.start_postgres),
        Kind.MMSC_HANGS: _mood(stage, "hang"),
        Kind.MMSC_RESETS_UNREAD: _mood(stage, "reset-before-read"),
        Kind.MMSC_RESETS_TAKEN: _mood(stage, "reset-after-accept"),
        Kind.MMSC_SLOW: _mood(stage, "slow"),
        Kind.MMSC_TOO_SLOW: _mood(stage, "timeout"),
        Kind.MMSC_REPORTS_TWICE: _mood(stage, "duplicate-reports"),
    }


def befall(stage: Stage, planned: Sequence[Fault], start: float, tell: Callable[[Fault], None]) -> None:
    """Does it all; `start` is the moment (of time.monotonic) that the plan counts from.

    Returns when the last fault is mended. Raises DemoError if a process ends by itself.
    """
    known = means(stage)
    steps: list[tuple[float, Step]] = [
        (fault.at, partial(_struck, fault, known[fault.kind].strike, tell)) for fault in planned
    ]
    # After them: a fault that lasts no time is struck before it is mended, since the sort is stable.
    steps += [(fault.end, known[fault.kind].mend) for fault in planned]
    for at, step in sorted(steps, key=lambda step: step[0]):
        while time.monotonic() < start + at:
            stage.processes.check_alive()
            time.sleep(LOOK)
        step()


def _struck(fault: Fault, strike: Step, tell: Callable[[Fault], None]) -> None:
    tell(fault)
    strike()


def _killed(stage: Stage, name: str) -> Means:
    return Means(partial(stage.processes.kill, name), partial(stage.start, name))


def _mood(stage: Stage, name: str) -> Means:
    return Means(partial(stage.tell, f"/control/mode?name={name}"), partial(stage.tell, "/control/mode?name=normal"))


def _nothing() -> None:
    """What was flushed needs no mending."""
