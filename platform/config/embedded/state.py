"""The recorded state of a folder's servers: passwords and ports."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self, TextIO

from config.embedded.home import LOCK, ServersError
from config.embedded.ports import free_port


@dataclass(frozen=True, slots=True)
class State:
    """Passwords and ports of a folder's servers, stored in state.json."""

    password: str
    secret_key: str
    postgres_port: int
    valkey_port: int

    @classmethod
    def new(cls) -> Self:
        """Return a state with random passwords and free ports."""
        return cls(secrets.token_hex(24), secrets.token_hex(32), free_port(), free_port())

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Return the state of a folder, or None if it has none. Raises ServersError if it cannot be read."""
        path = _file(folder)
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            return None
        except (OSError, TypeError, ValueError) as error:
            raise ServersError(f"{path} cannot be read: {error}") from error

    def with_ports(self, *, postgres_port: int, valkey_port: int) -> Self:
        """Return the state with other ports."""
        return replace(self, postgres_port=postgres_port, valkey_port=valkey_port)

    def save(self, folder: Path) -> None:
        """Replace the file atomically: a crash leaves the old state or the new one."""
        unfinished = _file(folder).with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file)
        unfinished.replace(_file(folder))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create the folder, and keep other processes from starting or stopping its servers within the block.

    Raises ServersError if the folder cannot be created or written.
    """
    with _lock_file(folder) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _lock_file(folder: Path) -> TextIO:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (folder / LOCK).open("w")
    except OSError as error:
        raise ServersError(f"{folder} cannot hold the embedded servers: {error.strerror}") from error


def _file(folder: Path) -> Path:
    return folder / "state.json"
