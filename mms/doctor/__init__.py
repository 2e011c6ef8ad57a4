"""The doctor: checks a deployment and suggests remedies. `manage.py doctor` prints its findings."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import DatabaseError

from mms.doctor import deployment, encryption, servers, setup, traffic
from mms.doctor.finding import Check, Finding, fail

GROUPS: dict[str, dict[str, Check]] = {
    "Servers": servers.CHECKS,
    "Encryption": encryption.CHECKS,
    "Settings": deployment.CHECKS,
    "Carriers and senders": setup.CHECKS,
    "Work": traffic.CHECKS,
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A finding, with its check and the group of the check."""

    group: str
    check: str
    finding: Finding


def run_checks() -> Iterator[Diagnosis]:
    """Run every check and yield its findings; each check has at least one."""
    for group, checks in GROUPS.items():
        for name, check in checks.items():
            for finding in _findings(check):
                yield Diagnosis(group, name, finding)


def _findings(check: Check) -> Iterator[Finding]:
    try:
        yield from check()
    except DatabaseError as problem:
        yield fail(f"the database query failed: {_first_line(problem)}", "Repair the database first.")
    except Exception as problem:  # noqa: BLE001 - a check that fails does not stop the others
        yield fail(f"{type(problem).__name__}: {_first_line(problem)}", "Fix this error, and run the doctor again.")


def _first_line(problem: Exception) -> str:
    return str(problem).strip().partition("\n")[0]
