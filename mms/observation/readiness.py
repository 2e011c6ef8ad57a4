"""Whether this process can do its work: each check in a thread of its own, all of them in bounded time.

A check that hangs (a network file system that does not answer) keeps its thread; whoever asks meanwhile waits for that
one, so however often is asked, each check runs once at a time.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import Final
from uuid import uuid4

import structlog
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from mms.runtime import wakeup

log = structlog.get_logger()

PATIENCE: Final = 2.0  # seconds


class NotReady(Exception):
    """What is missing, in words for anybody: no addresses, no names of servers or users."""


def database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def migrations() -> None:
    """Raises NotReady where this version has migrations that the database has not seen."""
    missing = _known() - MigrationRecorder(connection).applied_migrations().keys()
    if missing:
        raise NotReady(f"{len(missing)} not applied; run: python manage.py migrate")


@cache
def _known() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations)


def broker() -> None:
    with wakeup.connection() as server:
        server.ping()


def storage() -> None:
    """Writes a file, reads it and removes it."""
    name = default_storage.save(f"ready/{uuid4().hex}", ContentFile(b"ready"))
    try:
        with default_storage.open(name) as file:
            if file.read() != b"ready":
                raise NotReady("what was written is not what is read")
    finally:
        default_storage.delete(name)


CHECKS: Final[Mapping[str, Callable[[], None]]] = {
    "database": database,
    "migrations": migrations,
    "broker": broker,
    "storage": storage,
}


@dataclass
class Readiness:
    """The checks, and those that are under way."""

    checks: Mapping[str, Callable[[], None]]
    patience: float = PATIENCE
    _under_way: dict[str, Future[str]] = field(init=False, default_factory=dict)
    _lock: Lock = field(init=False, default_factory=Lock)

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(len(self.checks), thread_name_prefix="ready")

    def problems(self) -> dict[str, str]:
        """Each check with what is wrong, "" where nothing is."""
        until = time.monotonic() + self.patience
        futures = {name: self._started(name) for name in self.checks}
        return {name: self._outcome(future, until) for name, future in futures.items()}

    def _started(self, name: str) -> Future[str]:
        with self._lock:
            running = self._under_way.get(name)
            if running is None or running.done():
                running = self._under_way[name] = self._threads.submit(_problem, name, self.checks[name])
            return running

    def _outcome(self, future: Future[str], until: float) -> str:
        try:
            return future.result(max(0.0, until - time.monotonic()))
        except NotInTime:
            return f"no answer within {self.patience:g} seconds"


def _problem(name: str, check: Callable[[], None]) -> str:
    try:
        check()
    except NotReady as problem:
        return str(problem)
    except Exception as problem:  # noqa: BLE001 - whatever it is, it is not ready
        # What it says may hold addresses and names of users: that is for the log.
        log.warning("not ready", check=name, problem=str(problem).strip())
        return f"failed: {type(problem).__name__}; the log says more"
    finally:
        connection.close()
    return ""
