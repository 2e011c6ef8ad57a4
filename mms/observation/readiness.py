"""Readiness of this process: each check runs in its own thread, and all end within a time limit.

A hanging check (say, on an unresponsive network file system) keeps its thread. Later requests wait for that run, so
each check runs at most once at a time.
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

TIME_LIMIT: Final = 2.0  # seconds


class NotReady(Exception):
    """The reason why a check failed. It is public, so it contains no addresses and no names of servers or users."""


def database() -> None:
    """Run a statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def migrations() -> None:
    """Compare the applied migrations with this version's. Raises NotReady if some are missing."""
    missing = _known() - MigrationRecorder(connection).applied_migrations().keys()
    if missing:
        raise NotReady(f"{len(missing)} not applied; run: python manage.py migrate")


@cache
def _known() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations)


def broker() -> None:
    """Ping the broker."""
    with wakeup.connection() as server:
        server.ping()


def storage() -> None:
    """Write a file, read it and remove it. Raises NotReady or OSError."""
    name = default_storage.save(f"ready/{uuid4().hex}", ContentFile(b"ready"))
    try:
        with default_storage.open(name) as file:
            if file.read() != b"ready":
                raise NotReady("a file read back differs from what was written")
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
    """The checks, and their runs in progress."""

    checks: Mapping[str, Callable[[], None]]
    time_limit: float = TIME_LIMIT
    _running: dict[str, Future[str]] = field(init=False, default_factory=dict)
    _lock: Lock = field(init=False, default_factory=Lock)

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(len(self.checks), thread_name_prefix="ready")

    def problems(self) -> dict[str, str]:
        """Run every check. Return the problem by check name, "" if there is none."""
        deadline = time.monotonic() + self.time_limit
        futures = {name: self._start(name) for name in self.checks}
        return {name: self._outcome(future, deadline) for name, future in futures.items()}

    def _start(self, name: str) -> Future[str]:
        with self._lock:
            running = self._running.get(name)
            if running is None or running.done():
                running = self._running[name] = self._threads.submit(_problem, name, self.checks[name])
            return running

    def _outcome(self, future: Future[str], deadline: float) -> str:
        try:
            return future.result(max(0.0, deadline - time.monotonic()))
        except NotInTime:
            return f"no answer within {self.time_limit:g} seconds"


def _problem(name: str, check: Callable[[], None]) -> str:
    try:
        check()
    except NotReady as problem:
        return str(problem)
    except Exception as problem:  # noqa: BLE001 - any exception means not ready
        # The text may contain addresses and user names, so it goes only to the log.
        log.warning("not ready", check=name, problem=str(problem).strip())
        return f"failed: {type(problem).__name__}; the log says more"
    finally:
        connection.close()
    return ""
