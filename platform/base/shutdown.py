"""Whether this worker is asked to stop: its long-running tasks look here before they take on more.

Only the main process hears of it. If that is killed, its children die with it: Celery has Linux see to that.
"""

import mmap
from typing import Any

from celery.signals import worker_shutting_down

# One byte that the pool's children share, because it is made before they are forked. Not an event of
# multiprocessing: that has a lock, and a child killed while it holds the lock would stop all the others.
_asked = mmap.mmap(-1, 1)


@worker_shutting_down.connect
def _ask(**_: Any) -> None:
    _asked[0] = 1


def asked() -> bool:
    """Whether the worker was told to stop."""
    return bool(_asked[0])
