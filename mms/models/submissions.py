"""Attempts to submit to an MMSC, and its delivery reports."""

from django.db import models
from django.db.models import Q

from mms.models.carriers import Carrier
from mms.models.messages import Discovery, Message


class Attempt(models.Model):
    """One try to submit. The row is written before the request leaves, and completed with the answer."""

    class Outcome(models.TextChoices):
        UNKNOWN = ""  # in flight, or its worker died
        SUBMITTED = "submitted"
        TRANSIENT = "transient"
        LIMITED = "limited"
        PERMANENT = "permanent"
        CONTENT_REFUSED = "content_refused", "Content refused"
        UNREACHABLE = "unreachable"
        IN_DOUBT = "in_doubt", "In doubt"

    # The MMSC answered, and did not accept the message.
    REFUSED = (Outcome.TRANSIENT, Outcome.LIMITED, Outcome.PERMANENT, Outcome.CONTENT_REFUSED)

    message = models.ForeignKey(Message, models.CASCADE, null=True, blank=True, related_name="attempts")
    discovery = models.ForeignKey(Discovery, models.CASCADE, null=True, blank=True, related_name="attempts")
    carrier = models.ForeignKey(Carrier, models.PROTECT)
    try_number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    size = models.PositiveIntegerField(help_text="Bytes of the MM7 request body.")
    outcome = models.CharField(max_length=20, choices=Outcome, default=Outcome.UNKNOWN, blank=True)
    http_status = models.PositiveSmallIntegerField("HTTP status", null=True, blank=True)
    code = models.PositiveIntegerField("MM7 status code", null=True, blank=True)
    text = models.TextField(blank=True)
    mmsc_id = models.CharField("MessageID", max_length=200, blank=True, help_text="Assigned by the MMSC.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(message=None) ^ Q(discovery=None), name="attempt_of_message_or_discovery"
            )
        ]
        indexes = [
            models.Index(fields=["carrier", "mmsc_id"], condition=~Q(mmsc_id=""), name="attempt_by_mmsc_id"),
            models.Index(fields=["started_at"], condition=Q(finished_at=None), name="attempt_open"),
            models.Index(
                fields=["carrier", "-id"],
                condition=Q(outcome__in=["transient", "limited", "permanent", "content_refused"]),
                name="attempt_refused",
            ),
        ]

    def __str__(self) -> str:
        return f"try {self.try_number}"


class Report(models.Model):
    """A delivery report. While no attempt matches it, matching is tried again at `due_at`."""

    carrier = models.ForeignKey(Carrier, models.PROTECT)
    mmsc_id = models.CharField("MessageID", max_length=200, help_text="Assigned by the MMSC.")
    number = models.CharField(max_length=30, blank=True, help_text="Recipient, digits only.")
    status = models.CharField(max_length=30)
    raw_status = models.CharField(max_length=200, blank=True)
    text = models.TextField(blank=True)
    identity = models.CharField("handset identity", max_length=500, blank=True)
    reported_at = models.DateTimeField(null=True, blank=True, help_text="Time given by the MMSC.")
    received_at = models.DateTimeField()
    attempt = models.ForeignKey(Attempt, models.CASCADE, null=True, blank=True, related_name="reports")
    occasion = models.CharField(
        max_length=50,
        blank=True,
        default="",
        db_default="",
        help_text="Tells it from a later report with the same MessageID.",
    )
    matches = models.PositiveSmallIntegerField(default=0, help_text="Matching attempts so far.")
    due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "delivery report"
        ordering = ["id"]
        constraints = [
            # A repeated report is stored once. Reports with different unknown statuses are different reports, and so
            # are those on different attempts under a MessageID that the MMSC has reused, or under none.
            models.UniqueConstraint(
                fields=["carrier", "mmsc_id", "number", "status", "raw_status", "occasion"], name="report_once"
            )
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="report_due"),
            # Few rows: a report is in it until it is matched.
            models.Index(fields=["received_at"], condition=Q(attempt=None), name="report_unmatched"),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.pk}"  # not the MessageID: titles of pages are not masked
