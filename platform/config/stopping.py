"""Whether this worker is asked to stop: its long-running tasks look here before they take on more."""

import os
from typing import Any

import billiard
from celery.signals import worker_shutting_down

# Made before the pool forks, so that the children see what the main process hears.
_asked = billiard.Event()
_main = os.getpid()


@worker_shutting_down.connect
def _ask(**_: Any) -> None:
    _asked.set()


def asked() -> bool:
    """Whether the main process was told to stop, or is gone."""
    orphaned = os.getpid() != _main and os.getppid() != _main
    return bool(_asked.is_set()) or orphaned
