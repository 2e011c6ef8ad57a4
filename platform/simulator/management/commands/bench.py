"""`manage.py bench`: figures beside the machine's own limits."""

import signal
import sys
from argparse import ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console

from simulator.bench import BenchError, report, yardstick
from simulator.bench.measures import MEASURES
from simulator.bench.stage import server, staged


class Command(BaseCommand):
    help = (
        "Measures the platform on a database of its own on the server of DATABASE_URL, each figure in turns with "
        "its yardstick; prints a table and keeps it in var/bench/."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rounds", type=positive, default=3, help="of each measure and its yardstick, in turns")
        parser.add_argument("--seconds", type=positive, default=5, help="of each round")

    def handle(self, *args: Any, rounds: int, seconds: int, **options: Any) -> None:
        # So that the database and the processes go, too, when it is told to stop.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        folder = settings.BASE_DIR / "var" / "bench"
        figures = []
        try:
            circumstances = {**report.machine(), "postgresql": server(), "pgbench": str(yardstick.pgbench())}
            circumstances["busy_before"] = report.busy()
            for measure in MEASURES:
                self.stdout.write(f"{measure.__name__}: {rounds} rounds of {seconds} s, in turns with its yardstick")
                with staged(rounds, seconds, folder) as stage:
                    figures.append(measure(stage))
            circumstances["busy_after"] = report.busy()
        except BenchError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("stopped before the end; nothing is kept", returncode=130) from None
        report.show(figures, circumstances, Console())
        self.stdout.write(f"kept in {report.keep(figures, circumstances, folder, timezone.now())}")


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return int(text)
