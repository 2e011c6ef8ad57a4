"""Retry across a database restart, for replies and results that cannot be asked for again."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError, connection

log = structlog.get_logger()

# Seconds between tries while the database restarts.
LADDER = (0.2, 0.5, 1, 2, 4, 8, 15)

DATABASE_GONE = (OperationalError, InterfaceError)

Item = TypeVar("Item")


def store(items: Sequence[Item], step: Callable[[Sequence[Item]], None]) -> None:
    """Store the items by the step, which may be repeated; one by one if they cannot be stored together.

    An item that cannot be stored alone either is logged, and its row is reclaimed at the end of its lease. Raises
    OperationalError or InterfaceError if the database does not come back.
    """
    try:
        _through_restart(items, step)
    except DATABASE_GONE:
        raise
    except Exception:
        log.exception("results could not be stored", rows=len(items))
        for item in items if len(items) > 1 else ():
            store([item], step)


def _through_restart(items: Sequence[Item], step: Callable[[Sequence[Item]], None]) -> None:
    for tried, wait in enumerate(LADDER, 1):
        try:
            step(items)
        except DATABASE_GONE as problem:
            log.warning("results wait for the database", problem=str(problem).strip(), rows=len(items), tried=tried)
            connection.close()
            time.sleep(wait)
        else:
            return
    step(items)
