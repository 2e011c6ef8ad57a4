"""Monotonic counters for the metrics, kept as rows so that every web process reports the same values."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from mms.models.carriers import Carrier


class Counted(models.Model):
    """The progress of counting a table: its rows up to this primary key are in the tallies."""

    source = models.CharField(max_length=20, unique=True)
    mark = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.source} to {self.mark}"


class Tally(models.Model):
    """The number of rows of one kind that a table has had, and the distribution of their measured values."""

    source = models.CharField(max_length=20)
    carrier = models.ForeignKey(Carrier, models.CASCADE, null=True, blank=True)
    kind = models.CharField(max_length=30)
    count = models.BigIntegerField(default=0)
    total = models.FloatField(default=0, help_text="Sum of the measured values, mostly seconds.")
    buckets = ArrayField(
        models.BigIntegerField(), default=list, help_text="Cumulative row counts for tallies.BOUNDS, then the total."
    )

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [
            models.UniqueConstraint(
                fields=["source", "carrier", "kind"], nulls_distinct=False, name="tally_once_per_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.kind}: {self.count}"
