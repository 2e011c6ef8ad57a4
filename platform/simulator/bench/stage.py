"""What every measure stands on: a server whose commits are durable, and a database of its own there."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import dj_database_url
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg import sql

from simulator.bench import BenchError

# With any of these off, an insert costs next to nothing and a rate says nothing.
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


@dataclass(frozen=True, slots=True)
class Stage:
    """Where to measure, how often, and for how many seconds each time; the folder is for logs.

    `messages` is how many pass through processes whose memory is watched.
    """

    database_url: str
    rounds: int
    seconds: int
    messages: int
    folder: Path


def server() -> dict[str, str]:
    """The version and the durability settings of DATABASE_URL's server.

    Raises BenchError if it is out of reach, or if its commits are not durable.
    """
    with _connected() as connection:
        names = ("server_version", *DURABLE)
        rows = connection.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(names)])
        found = dict(rows.fetchall())
    for name in DURABLE:
        if found[name] == "off":
            raise BenchError(f"the server's {name} is off: figures are about commits that survive a power cut")
    return found


@contextmanager
def staged(rounds: int, seconds: int, messages: int, folder: Path) -> Iterator[Stage]:
    """A migrated database of its own, which is Django's default database meanwhile.

    Raises BenchError if it cannot be made.
    """
    name = f"bench_{os.getpid()}_{time.monotonic_ns()}"
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    _run("CREATE DATABASE {}", name)
    try:
        with standing_on(url):
            call_command("migrate", verbosity=0)
            yield Stage(url, rounds, seconds, messages, folder)
    finally:
        # By force: the connections of a child that was killed may linger.
        _run("DROP DATABASE {} WITH (FORCE)", name)


@contextmanager
def _connected() -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        raise BenchError(f"the server of DATABASE_URL does not do as asked: {str(error).strip()}") from error


def _run(statement: str, name: str) -> None:
    with _connected() as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


@contextmanager
def standing_on(database_url: str) -> Iterator[None]:
    """This database is Django's default one meanwhile."""
    connection = cast(DatabaseWrapper, connections["default"])
    former = {name: connection.settings_dict[name] for name in ("HOST", "PORT", "USER", "PASSWORD", "NAME")}
    parsed: Mapping[str, Any] = {**dj_database_url.parse(database_url)}
    _point(connection, {name: parsed[name] for name in former})
    try:
        yield
    finally:
        _point(connection, former)


def _point(connection: DatabaseWrapper, place: Mapping[str, Any]) -> None:
    connection.close()
    connection.close_pool()  # its connections are to the database of before
    connection.settings_dict.update(place)


def libpq_environment(database_url: str) -> dict[str, str]:
    """The environment by which a program of PostgreSQL's reaches the database: a process list shows arguments."""
    options = psycopg.pq.Conninfo.parse(database_url.encode())
    return {option.envvar.decode(): option.val.decode() for option in options if option.envvar and option.val}


def child_environment(**values: str) -> dict[str, str]:
    """This process's environment with these changes, for a child that finds the packages, installed or not."""
    path = os.pathsep.join([str(settings.BASE_DIR), str(settings.BASE_DIR / "platform")])
    return os.environ | {"PYTHONPATH": path} | values
