"""Environment of a benchmark: a separate database on a server with durable commits."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg import sql

from config.connections import database as database_parameters
from simulator.bench import BenchError

# With any of these off, inserts cost next to nothing and the rates are meaningless.
DURABILITY_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes")


@dataclass(frozen=True, slots=True)
class Environment:
    """The database, the number and duration of rounds, and the folder for logs.

    `messages` is the number of messages in the benchmark of memory.
    """

    database_url: str
    rounds: int
    seconds: int
    messages: int
    folder: Path


def server_settings() -> dict[str, str]:
    """Return the version and the durability settings of DATABASE_URL's server.

    Raises BenchError if the server is not available, or if its commits are not durable.
    """
    with _connect() as connection:
        names = ("server_version", *DURABILITY_SETTINGS)
        rows = connection.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(names)])
        found = dict(rows.fetchall())
    for name in DURABILITY_SETTINGS:
        if found[name] == "off":
            raise BenchError(f"the server's {name} is off: the benchmarks require commits that survive a power failure")
    return found


@contextmanager
def temporary_environment(rounds: int, seconds: int, messages: int, folder: Path) -> Iterator[Environment]:
    """Create a migrated database, and use it as Django's default database within the context.

    Raises BenchError if it cannot be created.
    """
    name = f"bench_{os.getpid()}_{time.monotonic_ns()}"
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    _execute("CREATE DATABASE {}", name)
    try:
        with default_database(url):
            call_command("migrate", verbosity=0)
            yield Environment(url, rounds, seconds, messages, folder)
    finally:
        # FORCE closes lingering connections of killed children.
        _execute("DROP DATABASE {} WITH (FORCE)", name)


@contextmanager
def _connect() -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        raise BenchError(f"the server of DATABASE_URL failed: {str(error).strip()}") from error


def _execute(statement: str, name: str) -> None:
    with _connect() as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


@contextmanager
def default_database(database_url: str) -> Iterator[None]:
    """Use this database as Django's default one within the context."""
    connection = cast(DatabaseWrapper, connections["default"])
    original = {name: connection.settings_dict[name] for name in ("HOST", "PORT", "USER", "PASSWORD", "NAME")}
    parsed: Mapping[str, Any] = database_parameters(database_url)
    _switch_database(connection, {name: parsed[name] for name in original})
    try:
        yield
    finally:
        _switch_database(connection, original)


def _switch_database(connection: DatabaseWrapper, settings: Mapping[str, Any]) -> None:
    connection.close()
    connection.close_pool()  # its connections belong to the previous database
    connection.settings_dict.update(settings)


def libpq_environment(database_url: str) -> dict[str, str]:
    """Return libpq's environment variables for the database: arguments would be visible in the process list."""
    options = psycopg.pq.Conninfo.parse(database_url.encode())
    return {option.envvar.decode(): option.val.decode() for option in options if option.envvar and option.val}


def child_environment(**values: str) -> dict[str, str]:
    """Return this process's environment with these changes, and with the packages on PYTHONPATH."""
    path = os.pathsep.join([str(settings.BASE_DIR), str(settings.BASE_DIR / "platform")])
    return os.environ | {"PYTHONPATH": path} | values
