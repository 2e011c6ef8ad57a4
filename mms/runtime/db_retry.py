"""Retry across a database restart, for replies and results that cannot be requested again."""

import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError, connection

from base import sql

log = structlog.get_logger()

# Seconds between tries while the database restarts.
RETRY_SCHEDULE = (0.2, 0.5, 1, 2, 4, 8, 15)

DATABASE_GONE = (OperationalError, InterfaceError)

Item = TypeVar("Item")


def write_with_retry(
    items: Sequence[Item], write: Callable[[Sequence[Item]], None], owner: Callable[[Item], Hashable]
) -> list[Item]:
    """Write the items by the given function, which may be repeated; one by one if they cannot be written in a batch.

    Return the items that have to be written later: another transaction holds a row of their owner. An item that also
    fails alone is logged; its row is reclaimed at the end of its lease. Raises OperationalError or InterfaceError if
    the database does not come back.
    """
    if not items:
        return []
    try:
        _retry_across_restart(items, write)
    except DATABASE_GONE as problem:
        if not sql.has_timed_out(problem):
            raise
        log.warning("results wait for a lock", problem=str(problem).strip(), rows=len(items))
        owners = _by_owner(items, owner)
        return list(items) if len(owners) == 1 else _write_each(owners, write, owner)
    except Exception:
        log.exception("results could not be stored", rows=len(items))
        return _write_each([[item] for item in items], write, owner) if len(items) > 1 else []
    return []


def _by_owner(items: Sequence[Item], owner: Callable[[Item], Hashable]) -> list[list[Item]]:
    owners: dict[Hashable, list[Item]] = defaultdict(list)
    for item in items:
        owners[owner(item)].append(item)
    return list(owners.values())


def _write_each(
    batches: Sequence[Sequence[Item]], write: Callable[[Sequence[Item]], None], owner: Callable[[Item], Hashable]
) -> list[Item]:
    return [held for batch in batches for held in write_with_retry(batch, write, owner)]


def _retry_across_restart(items: Sequence[Item], write: Callable[[Sequence[Item]], None]) -> None:
    for tried, wait in enumerate(RETRY_SCHEDULE, 1):
        try:
            write(items)
        except DATABASE_GONE as problem:
            if sql.has_timed_out(problem):
                raise
            log.warning("results wait for the database", problem=str(problem).strip(), rows=len(items), tried=tried)
            connection.close()
            time.sleep(wait)
        else:
            return
    write(items)
