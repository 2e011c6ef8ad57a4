"""`manage.py doctor`: check the deployment and suggest remedies."""

import shutil
import sys
import textwrap
from collections import Counter
from itertools import groupby
from typing import Any

from django.core.management.base import BaseCommand

from mms import doctor
from mms.doctor import Diagnosis
from mms.doctor.finding import Level

INDENT = 2
WIDTH_MAX = 110


class Command(BaseCommand):
    help = "Check servers, settings, carriers and backlog, and suggest remedies; the exit status is 1 if a check fails."
    # The doctor must run even if the project fails its checks.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the findings of all checks."""
        self.colours = {Level.OK: self.style.SUCCESS, Level.WARN: self.style.WARNING, Level.FAIL: self.style.ERROR}
        self.width = min(shutil.get_terminal_size().columns, WIDTH_MAX)
        self.column = max(len(name) for checks in doctor.GROUPS.values() for name in checks) + 2
        levels: Counter[Level] = Counter()
        for group, found in groupby(doctor.run_checks(), lambda diagnosis: diagnosis.group):
            self.stdout.write(f"\n{self.style.MIGRATE_HEADING(group)}")
            for check, of_check in groupby(found, lambda diagnosis: diagnosis.check):
                levels += self._show(check, list(of_check))
        self._summarize(levels)
        if levels[Level.FAIL]:
            sys.exit(1)

    def _show(self, check: str, found: list[Diagnosis]) -> Counter[Level]:
        """Print a line per finding with its remedy below; the first line also has the name of the check."""
        for number, diagnosis in enumerate(found):
            finding = diagnosis.finding
            level = self.colours[finding.level](f"{finding.level:<4}")
            name = f"{check if number == 0 else '':<{self.column}}"
            first, *more = self._wrapped(finding.text)
            self.stdout.write(f"{' ' * INDENT}{level}  {name}{first}")
            for line in [*more, *self._wrapped(finding.remedy, "→ ")]:
                self.stdout.write(f"{' ' * self._margin}{line}")
        return Counter(diagnosis.finding.level for diagnosis in found)

    @property
    def _margin(self) -> int:
        return INDENT + len("fail") + 2 + self.column

    def _wrapped(self, text: str, before: str = "") -> list[str]:
        return textwrap.wrap(
            text,
            max(self.width - self._margin, 40),
            initial_indent=before,
            subsequent_indent=" " * len(before),
            break_on_hyphens=False,
            break_long_words=False,
        )

    def _summarize(self, levels: Counter[Level]) -> None:
        labels = {Level.OK: "ok", Level.WARN: "to check", Level.FAIL: "to fix"}
        parts = [self.colours[level](f"{levels[level]} {words}") for level, words in labels.items() if levels[level]]
        self.stdout.write(f"\n{', '.join(parts)}")
