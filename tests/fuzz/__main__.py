"""`python -m tests.fuzz`: fuzz the parsers of external input with nearly valid inputs."""

import argparse
import os
import sys
import traceback

# Required by the settings; no server is contacted.
for name, value in (
    ("SECRET_KEY", "fuzzing"),
    ("DATABASE_URL", "postgresql://nobody@127.0.0.1/none"),
    ("REDIS_URL", "redis://127.0.0.1"),
    ("DJANGO_SETTINGS_MODULE", "config.settings"),
):
    os.environ[name] = value


def write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    import django

    django.setup()
    from tests.fuzz.run import Crash, Statistics, run
    from tests.fuzz.targets import TARGETS, Target

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="inputs per parser (100000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same inputs (1)")
    options = parser.parse_args()

    def summary(target: Target, statistics: Statistics) -> str:
        outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in statistics.outcomes.most_common())
        rate = options.inputs / statistics.seconds
        return (
            f"{target.name}: {options.inputs:,} inputs in {statistics.seconds:.0f} s ({rate:,.0f}/s), slowest "
            f"{statistics.slowest * 1000:.0f} ms, memory +{statistics.megabytes:.0f} MB\n  {outcomes}"
        )

    write(f"seed {options.seed}")
    for target in TARGETS:
        try:
            write(summary(target, run(target, options.seed, options.inputs)))
        except Crash as crash:
            traceback.print_exception(crash)
            return 1
    write("no crash")
    return 0


if __name__ == "__main__":
    sys.exit(main())
