"""Which faults befall the platform, and when: made from a seed. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Kind(StrEnum):
    """What can go wrong, in the words of the report."""

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
    MMSC_RESETS_UNREAD = "MMSC resets connections before it reads"
    MMSC_RESETS_TAKEN = "MMSC resets connections after it took the message"
    MMSC_SLOW = "MMSC answers late"
    MMSC_TOO_SLOW = "MMSC answers after the time-out"
    MMSC_REPORTS_TWICE = "MMSC reports twice"


@dataclass(frozen=True, slots=True)
class Nature:
    """What a kind of fault strikes, and for how many seconds at least and at most."""

    target: str
    shortest: float
    longest: float


# fmt: off
NATURES = {
    Kind.WEB: Nature("web", 0.0, 5.0),
    Kind.FIRST_WORKER: Nature("worker-1", 0.0, 10.0),
    Kind.SECOND_WORKER: Nature("worker-2", 0.0, 10.0),
    Kind.NOTIFIER: Nature("notifier", 0.0, 10.0),
    Kind.BEAT: Nature("beat", 0.0, 10.0),
    Kind.REDIS_FLUSHED: Nature("redis", 0.0, 0.0),
    Kind.REDIS_STOPPED: Nature("redis", 1.0, 10.0),
    Kind.POSTGRES_RESTARTED: Nature("postgres", 0.0, 5.0),
    Kind.POSTGRES_KILLED: Nature("postgres", 0.0, 5.0),
    Kind.MMSC_HANGS: Nature("mmsc", 2.0, 6.0),
    Kind.MMSC_RESETS_UNREAD: Nature("mmsc", 2.0, 6.0),
    Kind.MMSC_RESETS_TAKEN: Nature("mmsc", 2.0, 6.0),
    Kind.MMSC_SLOW: Nature("mmsc", 5.0, 10.0),
    Kind.MMSC_TOO_SLOW: Nature("mmsc", 2.0, 6.0),
    Kind.MMSC_REPORTS_TWICE: Nature("mmsc", 5.0, 10.0),
}
# fmt: on
# Seconds before the first, between two, and without any between two faults of the same target: time to come back.
CALM = 5.0
PAUSES = (1.0, 6.0)
RECOVERY = 6.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: from `at` on, in seconds since the first message, for `seconds`."""

    at: float
    kind: Kind
    seconds: float

    @property
    def end(self) -> float:
        return self.at + self.seconds

    @property
    def target(self) -> str:
        return NATURES[self.kind].target


def faults(seed: int, seconds: float) -> list[Fault]:
    """The faults of a run of so many seconds, by their moments; all are mended at its end.

    All kinds come about equally often, and a target is struck by one at a time.
    """
    random = Random(f"faults {seed}")  # noqa: S311 - to be repeated, not to be secret
    planned: list[Fault] = []
    free: dict[str, float] = {}
    waiting: list[Kind] = []
    at = CALM
    while at < seconds:
        if len(waiting) < len(Kind):
            waiting += random.sample(list(Kind), len(Kind))
        fault = next(_possible(random, at, seconds, waiting, free), None)
        if fault:
            waiting.remove(fault.kind)
            free[fault.target] = fault.end + RECOVERY
            planned.append(fault)
        at += random.uniform(*PAUSES)
    return planned


def _possible(
    random: Random, at: float, seconds: float, waiting: list[Kind], free: dict[str, float]
) -> Iterator[Fault]:
    """Those that may come now, in the order in which they wait."""
    for kind in waiting:
        nature = NATURES[kind]
        fault = Fault(round(at, 2), kind, round(random.uniform(nature.shortest, nature.longest), 2))
        if free.get(nature.target, 0.0) <= at and fault.end <= seconds:
            yield fault
