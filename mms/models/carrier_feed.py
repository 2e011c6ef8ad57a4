"""The feed of each carrier: whether submits to it are paused, and when its throughput allows the next one."""

from datetime import datetime
from typing import NamedTuple

from django.db import models

from mms.models.carriers import Carrier


class Grant(NamedTuple):
    """What a claim has set in a carrier's feed, by which a give-back finds it unchanged."""

    carrier: int
    next_submit_at: datetime | None
    paused_until: datetime | None


class CarrierFeed(models.Model):
    """What may be submitted to a carrier now, shared by all workers (mms/messages/feed.py).

    A table of its own, because saving a carrier in the admin would overwrite it. A carrier that never failed and has no
    throughput has no row.
    """

    carrier = models.OneToOneField(Carrier, models.CASCADE, primary_key=True, related_name="feed")
    failures = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Consecutive submits that its MMSC did not answer."
    )
    pauses = models.PositiveIntegerField(default=0, db_default=0, help_text="Consecutive pauses.")
    paused_until = models.DateTimeField(
        null=True, blank=True, help_text="Nothing is submitted until then; after it, one submit is the probe."
    )
    changed_at = models.DateTimeField(
        null=True, blank=True, help_text="Begin of the last pause, or end of the last failures."
    )
    next_submit_at = models.DateTimeField(null=True, blank=True, help_text="When the throughput allows a submit.")

    def __str__(self) -> str:
        return f"feed of {self.carrier}"
