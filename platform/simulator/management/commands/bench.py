"""`manage.py bench`: figures beside the machine's own limits."""

import signal
import sys
import time
import traceback
from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console

from simulator.bench import BenchError, report, yardstick
from simulator.bench.figures import Figure
from simulator.bench.measures import MEASURES
from simulator.bench.stage import server, staged


class Command(BaseCommand):
    help = (
        "Measures the platform on databases of its own on the server of DATABASE_URL, each figure in turns with "
        "its yardstick; prints a table and keeps it in var/bench/. A measure that breaks says why, the others are "
        "still taken, and the exit status is 1; it is 0 where a target is missed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        names = ", ".join(MEASURES)
        parser.add_argument("names", nargs="*", type=measure, metavar="NAME", help=f"of {names}; none: all of them")
        parser.add_argument("--rounds", type=positive, default=3, help="of each measure and its yardstick, in turns")
        parser.add_argument("--seconds", type=positive, default=5, help="of each round")
        parser.add_argument("--messages", type=positive, default=100_000, help="that the measure of memory sends")
        parser.add_argument("--markdown", action="store_true", help="print the table once more, for a document")

    def handle(self, *args: Any, names: list[str], markdown: bool, **options: Any) -> None:
        # So that the database and the processes go, too, when it is told to stop.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        folder = settings.BASE_DIR / "var" / "bench"
        scale = {name: options[name] for name in ("rounds", "seconds", "messages")}
        try:
            circumstances = {**report.machine(), "postgresql": server(), "pgbench": str(yardstick.pgbench()), **scale}
            circumstances["busy_before"] = report.busy()
            figures, broken = self._taken(names or list(MEASURES), scale, folder)
            circumstances |= {"broken": broken, "busy_after": report.busy()}
        except BenchError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("stopped before the end; nothing is kept", returncode=130) from None
        report.show(figures, circumstances, Console())
        if markdown:
            self.stdout.write(report.markdown(figures))
        self.stdout.write(f"kept in {report.keep(figures, circumstances, folder, timezone.now())}")
        if broken:
            raise CommandError("\n".join(f"{name} is broken: {why}" for name, why in broken.items()))

    def _taken(self, names: Sequence[str], scale: dict[str, int], folder: Path) -> tuple[list[Figure], dict[str, str]]:
        """The figures of these measures, and why those that broke did."""
        figures: list[Figure] = []
        broken: dict[str, str] = {}
        for name in names:
            begin = time.monotonic()
            try:
                with staged(**scale, folder=folder) as stage:
                    figures += MEASURES[name](stage)
            except BenchError as error:
                broken[name] = str(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the other measures can do without this one.
                traceback.print_exc()
                broken[name] = f"{type(error).__name__}: {error}"
            self.stdout.write(f"{name}: {'BROKEN' if name in broken else 'done'}, {time.monotonic() - begin:.0f} s")
        return figures, broken


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return int(text)


def measure(text: str) -> str:
    if text not in MEASURES:
        raise ArgumentTypeError(f"{text} is none of the measures: {', '.join(MEASURES)}")
    return text
