"""Replies that cannot be recorded yet, because another transaction holds a row of their account, such as its balance.

A send loop keeps them here and records the replies of the other accounts. If it had to wait, one account would hold up
all of them.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import structlog
from django.db import connection

from base import sql
from mms.runtime.db_retry import DATABASE_GONE, write_with_retry

log = structlog.get_logger()

RETRY_EVERY: Final = 1.0  # seconds
LOCK_WAIT: Final = 0.25  # seconds for each account and retry, in which the loop stands still
LAST_RETRIES: Final = 20  # at the end of the task; then the leases of the rows end, and they are in doubt

Owner: TypeAlias = Hashable  # a source and an account
Write: TypeAlias = Callable[[Sequence[Any]], None]


@dataclass
class HeldReplies:
    """The held replies of each owner, with the function that records them."""

    _held: dict[Owner, list[Any]] = field(default_factory=lambda: defaultdict(list))
    _writes: dict[Owner, Write] = field(default_factory=dict)
    _tried_at: float = 0.0

    def write(self, replies: Sequence[Any], write: Write, owner: Callable[[Any], Owner]) -> None:
        """Record the replies, and hold back those of owners with held rows."""
        ready = [reply for reply in replies if owner(reply) not in self._held]
        held = [reply for reply in replies if owner(reply) in self._held]
        for reply in held + (write_with_retry(ready, write, owner) if ready else []):
            self._held[owner(reply)].append(reply)
            self._writes[owner(reply)] = write

    def retry_if_due(self) -> None:
        """Try to record the held replies once a second, with a brief wait for each owner."""
        if self._held and time.monotonic() - self._tried_at >= RETRY_EVERY:
            self._retry()

    def _retry(self) -> None:
        for owner in list(self._held):
            if not write_with_retry(self._held[owner], _brief(self._writes[owner]), lambda _: None):
                del self._held[owner]
        self._tried_at = time.monotonic()

    def finish(self) -> None:
        """Try to record what is still held, for a while. The rest is reclaimed at the end of the leases."""
        for _ in range(LAST_RETRIES):
            if not self._held:
                return
            time.sleep(RETRY_EVERY)
            try:
                self._retry()
            except DATABASE_GONE as problem:
                log.warning("held results wait for the database", problem=str(problem).strip())
                connection.close()
        for replies in self._held.values():
            log.error(
                "results could not be stored", rows=len(replies), problem="their rows are held, or the database is gone"
            )


def _brief(write: Write) -> Write:
    """Return the function with brief waits for locks, on whichever connection it is tried."""

    def written(replies: Sequence[Any]) -> None:
        with sql.brief_lock_waits(LOCK_WAIT):
            write(replies)

    return written
