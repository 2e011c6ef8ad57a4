"""Storing what cannot be asked for again: through a restart of the database, and apart from what cannot be stored."""

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
    """Stores the items by the step, which may be repeated; one alone where they cannot be stored together.

    What cannot be stored even alone is logged and left to the end of its lease. Raises OperationalError or
    InterfaceError if the database does not come back.
    """
    try:
        _through_a_restart(lambda: step(items))
    except DATABASE_GONE:
        raise
    except Exception:
        log.exception("answers could not be stored", answers=len(items))
        for item in items if len(items) > 1 else ():
            store([item], step)


def _through_a_restart(step: Callable[[], None]) -> None:
    for wait in LADDER:
        try:
            step()
        except DATABASE_GONE as problem:
            log.warning("answers wait for the database", problem=str(problem).strip())
            connection.close()
            time.sleep(wait)
        else:
            return
    step()
