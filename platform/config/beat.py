"""The scheduler of beat."""

from typing import Any

import celery.beat

from mms.runtime import wakeup


class Scheduler(celery.beat.Scheduler):
    """An in-memory schedule whose sweeps are wake-ups.

    Sweeps sent straight to the queue would pile up there while all workers are busy.
    """

    def apply_entry(self, entry: celery.beat.ScheduleEntry, producer: Any = None) -> None:
        """Wake the workers of a sweep, or send any other task as usual."""
        if entry.task in wakeup.QUEUES:
            wakeup.wake(entry.task)
        else:
            super().apply_entry(entry, producer)
