"""`python -m tests.fuzz`: the parsers of what others send, against inputs that are nearly right."""

import argparse
import os
import sys
import traceback

# Nothing is asked of them: the settings want to be read.
for name, value in (
    ("SECRET_KEY", "of the fuzzing alone"),
    ("DATABASE_URL", "postgresql://nobody@127.0.0.1/none"),
    ("REDIS_URL", "redis://127.0.0.1"),
    ("DJANGO_SETTINGS_MODULE", "config.settings"),
):
    os.environ[name] = value


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    import django

    django.setup()
    from tests.fuzz.run import Crash, Figures, run
    from tests.fuzz.targets import TARGETS, Target

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="for each parser (100000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same inputs (1)")
    options = parser.parse_args()

    def told(target: Target, figures: Figures) -> str:
        endings = ", ".join(f"{count:,} {ending}" for ending, count in figures.endings.most_common())
        rate = options.inputs / figures.seconds
        return (
            f"{target.name}: {options.inputs:,} inputs in {figures.seconds:.0f} s ({rate:,.0f} a second), the slowest "
            f"{figures.slowest * 1000:.0f} ms, memory +{figures.megabytes:.0f} MB\n  {endings}"
        )

    tell(f"seed {options.seed}")
    for target in TARGETS:
        try:
            tell(told(target, run(target, options.seed, options.inputs)))
        except Crash as crash:
            traceback.print_exception(crash)
            return 1
    tell("no crash")
    return 0


if __name__ == "__main__":
    sys.exit(main())
