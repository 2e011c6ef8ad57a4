"""The scheduler of beat."""

from typing import Any

import celery.beat

from mms.runtime import wakeup


class Scheduler(celery.beat.Scheduler):
    """Sweeps ring the doorbell as everybody does: sent past it, they would pile up while all workers are busy.

    In memory: there is nothing to remember between runs.
    """

    def apply_entry(self, entry: celery.beat.ScheduleEntry, producer: Any = None) -> None:
        if entry.task in wakeup.QUEUES:
            wakeup.ring(entry.task)
        else:
            super().apply_entry(entry, producer)
