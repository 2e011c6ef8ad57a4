"""Shutdown requests of a worker: long-running tasks check here before they claim more.

Only the main process receives the signal. If it is killed, its children die with it (Celery sets PR_SET_PDEATHSIG).
"""

import mmap
from typing import Any

from celery.signals import worker_shutting_down

# One byte shared with the children of the pool, because it is allocated before they are forked. Not an Event of
# multiprocessing: a child killed while it holds the lock of the event would block all others.
_requested = mmap.mmap(-1, 1)


@worker_shutting_down.connect
def _record_request(**_: Any) -> None:
    _requested[0] = 1


def requested() -> bool:
    """Return whether the worker was asked to stop."""
    return bool(_requested[0])
