"""Execution of the fault plan: injects each fault at its time, and repairs it after its duration."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from simulator.chaos.disturbances import Disturbances
from simulator.chaos.environment import Environment
from simulator.chaos.plan import Fault, FaultKind

Step = Callable[[], None]
POLL_INTERVAL = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class FaultActions:
    """The actions that inject and repair a kind of fault."""

    inject: Step
    repair: Step


def fault_actions(environment: Environment) -> dict[FaultKind, FaultActions]:
    """Return the actions of each kind of fault for this environment."""
    servers = environment.servers
    disturbances = Disturbances(servers.database_url, environment.web_port)
    return {
        FaultKind.WEB: _kill(environment, "web"),
        FaultKind.FIRST_WORKER: _kill(environment, "worker-1"),
        FaultKind.SECOND_WORKER: _kill(environment, "worker-2"),
        FaultKind.NOTIFIER: _kill(environment, "notifier"),
        FaultKind.BEAT: _kill(environment, "beat"),
        FaultKind.REDIS_FLUSHED: FaultActions(servers.flush_redis, _nothing),
        FaultKind.REDIS_STOPPED: FaultActions(servers.stop_redis, servers.start_redis),
        FaultKind.POSTGRES_RESTARTED: FaultActions(servers.stop_postgres, servers.start_postgres),
        FaultKind.POSTGRES_KILLED: FaultActions(servers.kill_postgres, servers.start_postgres),
        FaultKind.MMSC_HANGS: _mmsc_mode(environment, "hang"),
        FaultKind.MMSC_RESETS_BEFORE_READ: _mmsc_mode(environment, "reset-before-read"),
        FaultKind.MMSC_RESETS_AFTER_ACCEPT: _mmsc_mode(environment, "reset-after-accept"),
        FaultKind.MMSC_SLOW: _mmsc_mode(environment, "slow"),
        FaultKind.MMSC_TOO_SLOW: _mmsc_mode(environment, "timeout"),
        FaultKind.MMSC_DUPLICATES_REPORTS: _mmsc_mode(environment, "duplicate-reports"),
        FaultKind.SILENT_CONNECTIONS: FaultActions(
            disturbances.open_silent_connections, disturbances.close_silent_connections
        ),
        FaultKind.ROW_HELD: FaultActions(disturbances.hold_row, disturbances.release_row),
        FaultKind.MIGRATION: FaultActions(disturbances.migrate, _nothing),
    }


def inject_faults(
    environment: Environment, planned: Sequence[Fault], start: float, report: Callable[[Fault], None]
) -> None:
    """Execute the plan; `start` (of time.monotonic) is time 0 of the plan.

    Returns when the last fault is repaired. Raises DemoError if a process exits on its own.
    """
    actions = fault_actions(environment)
    steps: list[tuple[float, Step]] = [
        (fault.at, partial(_inject, fault, actions[fault.kind].inject, report)) for fault in planned
    ]
    # Appended after the injections: the sort is stable, so a fault of duration 0 is injected before it is repaired.
    steps += [(fault.end, actions[fault.kind].repair) for fault in planned]
    for at, step in sorted(steps, key=lambda step: step[0]):
        while time.monotonic() < start + at:
            environment.processes.check_alive()
            time.sleep(POLL_INTERVAL)
        step()


def _inject(fault: Fault, inject: Step, report: Callable[[Fault], None]) -> None:
    report(fault)
    inject()


def _kill(environment: Environment, name: str) -> FaultActions:
    return FaultActions(partial(environment.processes.kill, name), partial(environment.start, name))


def _mmsc_mode(environment: Environment, name: str) -> FaultActions:
    return FaultActions(
        partial(environment.control_simulator, f"/control/mode?name={name}"),
        partial(environment.control_simulator, "/control/mode?name=normal"),
    )


def _nothing() -> None:
    """Do nothing: a flush or a migration needs no repair."""
