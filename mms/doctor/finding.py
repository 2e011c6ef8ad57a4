"""What the doctor says of one thing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"  # works, and yet is not as it should be
    FAIL = "fail"  # does not work, or must not go on


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and what to do about it where that is anything."""

    level: Level
    text: str
    remedy: str = ""


Check = Callable[[], Iterable[Finding]]


def ok(text: str) -> Finding:
    return Finding(Level.OK, text)


def warn(text: str, remedy: str) -> Finding:
    return Finding(Level.WARN, text, remedy)


def fail(text: str, remedy: str) -> Finding:
    return Finding(Level.FAIL, text, remedy)
