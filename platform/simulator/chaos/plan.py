"""Plan of the faults of a run, generated from a seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class FaultKind(StrEnum):
    """Kind of a fault; the value is its name in the report."""

    WEB = "web killed"
    FIRST_WORKER = "first worker killed"
    SECOND_WORKER = "second worker killed"
    NOTIFIER = "notifier killed"
    BEAT = "beat killed"
    REDIS_FLUSHED = "Redis flushed"
    REDIS_STOPPED = "Redis stopped"
    POSTGRES_RESTARTED = "PostgreSQL restarted"
    POSTGRES_KILLED = "PostgreSQL killed"
    MMSC_HANGS = "MMSC hangs"
    MMSC_RESETS_BEFORE_READ = "MMSC resets connections before reading"
    MMSC_RESETS_AFTER_ACCEPT = "MMSC resets connections after accepting"
    MMSC_SLOW = "MMSC responds slowly"
    MMSC_TOO_SLOW = "MMSC responds after the timeout"
    MMSC_DUPLICATES_REPORTS = "MMSC sends duplicate reports"
    SILENT_CONNECTIONS = "silent connections to the web process"
    ROW_HELD = "balance row held"
    MIGRATION = "migration while serving"


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """Target of a kind of fault, and its minimum and maximum duration in seconds."""

    target: str
    min_seconds: float
    max_seconds: float


# fmt: off
FAULT_SPECS = {
    FaultKind.WEB: FaultSpec("web", 0.0, 5.0),
    FaultKind.FIRST_WORKER: FaultSpec("worker-1", 0.0, 10.0),
    FaultKind.SECOND_WORKER: FaultSpec("worker-2", 0.0, 10.0),
    FaultKind.NOTIFIER: FaultSpec("notifier", 0.0, 10.0),
    FaultKind.BEAT: FaultSpec("beat", 0.0, 10.0),
    FaultKind.REDIS_FLUSHED: FaultSpec("redis", 0.0, 0.0),
    FaultKind.REDIS_STOPPED: FaultSpec("redis", 1.0, 10.0),
    FaultKind.POSTGRES_RESTARTED: FaultSpec("postgres", 0.0, 5.0),
    FaultKind.POSTGRES_KILLED: FaultSpec("postgres", 0.0, 5.0),
    FaultKind.MMSC_HANGS: FaultSpec("mmsc", 2.0, 6.0),
    FaultKind.MMSC_RESETS_BEFORE_READ: FaultSpec("mmsc", 2.0, 6.0),
    FaultKind.MMSC_RESETS_AFTER_ACCEPT: FaultSpec("mmsc", 2.0, 6.0),
    FaultKind.MMSC_SLOW: FaultSpec("mmsc", 5.0, 10.0),
    FaultKind.MMSC_TOO_SLOW: FaultSpec("mmsc", 2.0, 6.0),
    FaultKind.MMSC_DUPLICATES_REPORTS: FaultSpec("mmsc", 5.0, 10.0),
    FaultKind.SILENT_CONNECTIONS: FaultSpec("connections", 5.0, 15.0),
    FaultKind.ROW_HELD: FaultSpec("postgres", 2.0, 8.0),
    FaultKind.MIGRATION: FaultSpec("postgres", 0.0, 0.0),
}
# fmt: on
INITIAL_DELAY = 5.0  # seconds before the first fault
INTERVALS = (1.0, 6.0)  # minimum and maximum of seconds between two faults
RECOVERY_TIME = 6.0  # minimum of seconds between two faults of the same target


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that starts at `at`, in seconds since the start of the run, and lasts for `seconds`."""

    at: float
    kind: FaultKind
    seconds: float

    @property
    def end(self) -> float:
        return self.at + self.seconds

    @property
    def target(self) -> str:
        return FAULT_SPECS[self.kind].target


def plan_faults(seed: int, seconds: float) -> list[Fault]:
    """Return the faults of a run of this duration in chronological order; all are repaired by its end.

    All kinds occur about equally often, and each target has only one fault at a time.
    """
    random = Random(f"faults {seed}")  # noqa: S311 - reproducible, not used for security
    planned: list[Fault] = []
    available_from: dict[str, float] = {}
    waiting: list[FaultKind] = []
    at = INITIAL_DELAY
    while at < seconds:
        if len(waiting) < len(FaultKind):
            waiting += random.sample(list(FaultKind), len(FaultKind))
        fault = next(_possible(random, at, seconds, waiting, available_from), None)
        if fault:
            waiting.remove(fault.kind)
            available_from[fault.target] = fault.end + RECOVERY_TIME
            planned.append(fault)
        at += random.uniform(*INTERVALS)
    return planned


def _possible(
    random: Random, at: float, seconds: float, waiting: list[FaultKind], available_from: dict[str, float]
) -> Iterator[Fault]:
    """Yield the faults that are possible at this time, in the order of the waiting kinds."""
    for kind in waiting:
        spec = FAULT_SPECS[kind]
        fault = Fault(round(at, 2), kind, round(random.uniform(spec.min_seconds, spec.max_seconds), 2))
        if available_from.get(spec.target, 0.0) <= at and fault.end <= seconds:
            yield fault
