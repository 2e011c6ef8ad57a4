"""Retry across a database restart, for replies and results that cannot be requested again."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError, connection

log = structlog.get_logger()

# Seconds between tries while the database restarts.
RETRY_SCHEDULE = (0.2, 0.5, 1, 2, 4, 8, 15)

DATABASE_GONE = (OperationalError, InterfaceError)

Item = TypeVar("Item")


def write_with_retry(items: Sequence[Item], write: Callable[[Sequence[Item]], None]) -> None:
    """Write the items by the given function, which may be repeated; one by one if they cannot be written in a batch.

    An item that also fails alone is logged; its row is reclaimed at the end of its lease. Raises
    OperationalError or InterfaceError if the database does not come back.
    """
    if not items:
        return
    try:
        _retry_across_restart(items, write)
    except DATABASE_GONE:
        raise
    except Exception:
        log.exception("results could not be stored", rows=len(items))
        for item in items if len(items) > 1 else ():
            write_with_retry([item], write)


def _retry_across_restart(items: Sequence[Item], write: Callable[[Sequence[Item]], None]) -> None:
    for tried, wait in enumerate(RETRY_SCHEDULE, 1):
        try:
            write(items)
        except DATABASE_GONE as problem:
            log.warning("results wait for the database", problem=str(problem).strip(), rows=len(items), tried=tried)
            connection.close()
            time.sleep(wait)
        else:
            return
    write(items)
