"""Command `manage.py bench`: benchmarks of the platform, compared with baselines of the same machine."""

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

from simulator.bench import BenchError, pgbench, report
from simulator.bench.benchmarks import BENCHMARKS
from simulator.bench.environment import server_settings, temporary_environment
from simulator.bench.figures import Figure


class Command(BaseCommand):
    help = (
        "Run benchmarks on temporary databases on the server of DATABASE_URL, alternating with their baselines, print "
        "a table and save it in var/bench/. If a benchmark fails, the others still run and the exit status is 1. A "
        "missed target does not affect the exit status."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        names = ", ".join(BENCHMARKS)
        parser.add_argument(
            "names", nargs="*", type=benchmark_name, metavar="NAME", help=f"any of {names} (default: all)"
        )
        parser.add_argument("--rounds", type=positive, default=3, help="rounds per benchmark and baseline")
        parser.add_argument("--seconds", type=positive, default=5, help="duration of a round")
        parser.add_argument(
            "--messages", type=positive, default=100_000, help="number of messages in the memory benchmark"
        )
        parser.add_argument("--markdown", action="store_true", help="also print the table in Markdown")

    def handle(self, *args: Any, names: list[str], markdown: bool, **options: Any) -> None:
        # Exit normally on SIGTERM, so that database and processes are removed.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        folder = settings.BASE_DIR / "var" / "bench"
        scale = {name: options[name] for name in ("rounds", "seconds", "messages")}
        try:
            conditions = {
                **report.machine(),
                "postgresql": server_settings(),
                "pgbench": str(pgbench.find_pgbench()),
                **scale,
            }
            conditions["busy_before"] = report.other_load()
            figures, failed = self._run(names or list(BENCHMARKS), scale, folder)
            conditions |= {"failed": failed, "busy_after": report.other_load()}
        except BenchError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("interrupted; nothing was saved", returncode=130) from None
        report.print_report(figures, conditions, Console())
        if markdown:
            self.stdout.write(report.markdown(figures))
        self.stdout.write(f"saved to {report.save(figures, conditions, folder, timezone.now())}")
        if failed:
            raise CommandError("\n".join(f"{name} failed: {reason}" for name, reason in failed.items()))

    def _run(self, names: Sequence[str], scale: dict[str, int], folder: Path) -> tuple[list[Figure], dict[str, str]]:
        """Run the benchmarks and return their figures, and the errors of those that failed."""
        figures: list[Figure] = []
        failed: dict[str, str] = {}
        for name in names:
            begin = time.monotonic()
            try:
                with temporary_environment(**scale, folder=folder) as environment:
                    figures += BENCHMARKS[name](environment)
            except BenchError as error:
                failed[name] = str(error)
            except Exception as error:  # noqa: BLE001 - the other benchmarks do not depend on this one
                traceback.print_exc()
                failed[name] = f"{type(error).__name__}: {error}"
            self.stdout.write(f"{name}: {'FAILED' if name in failed else 'done'}, {time.monotonic() - begin:.0f} s")
        return figures, failed


def positive(text: str) -> int:
    """Return the option's value as a positive integer."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is not a positive integer")
    return int(text)


def benchmark_name(text: str) -> str:
    """Return the option's value if it is the name of a benchmark."""
    if text not in BENCHMARKS:
        raise ArgumentTypeError(f"{text} is not a benchmark: {', '.join(BENCHMARKS)}")
    return text
