"""The doctor: looks at a deployment and says what to mend, in sentences. `manage.py doctor` shows it."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import DatabaseError

from mms.doctor import deployment, servers, setup, traffic
from mms.doctor.finding import Check, Finding, fail

GROUPS: dict[str, dict[str, Check]] = {
    "Servers": servers.CHECKS,
    "Settings": deployment.CHECKS,
    "Carriers and senders": setup.CHECKS,
    "Work": traffic.CHECKS,
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A finding, with the check that had it and the group of that."""

    group: str
    check: str
    finding: Finding


def run_checks() -> Iterator[Diagnosis]:
    """Everything that the doctor finds, check by check; each has one finding at least."""
    for group, checks in GROUPS.items():
        for name, check in checks.items():
            for finding in _findings(check):
                yield Diagnosis(group, name, finding)


def _findings(check: Check) -> Iterator[Finding]:
    try:
        yield from check()
    except DatabaseError as problem:
        yield fail(f"the database does not answer this: {_first_line(problem)}", "Mend the database first.")
    except Exception as problem:  # noqa: BLE001 - the doctor looks on, whatever one check meets
        yield fail(f"{type(problem).__name__}: {_first_line(problem)}", "Mend what this says, and look again.")


def _first_line(problem: Exception) -> str:
    return str(problem).strip().partition("\n")[0]
