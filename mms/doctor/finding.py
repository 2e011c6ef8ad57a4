"""Findings of the doctor."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARN = "warn"  # works, but should be changed
    FAIL = "fail"  # does not work, or is dangerous


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check, and the remedy unless it is ok."""

    level: Level
    text: str
    remedy: str = ""


Check = Callable[[], Iterable[Finding]]


def ok(text: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(Level.OK, text)


def warn(text: str, remedy: str) -> Finding:
    """Return a finding that should be acted on."""
    return Finding(Level.WARN, text, remedy)


def fail(text: str, remedy: str) -> Finding:
    """Return a finding that must be acted on."""
    return Finding(Level.FAIL, text, remedy)
