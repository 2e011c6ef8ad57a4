"""Postbacks, and the attempts to deliver them."""

from django.db import models
from django.db.models import Q

from base.http_url import HttpURLField
from billing.models import Account
from mms.models.messages import Message


class Postback(models.Model):
    """A notification to a customer, written in the transaction of its step.

    A later postback of a message waits until the earlier one is delivered (HTTP 200) or given up.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "taken", "Delivered"
        GIVEN_UP = "given-up", "Given up"

    account = models.ForeignKey(Account, models.PROTECT, related_name="postbacks")
    message = models.ForeignKey(Message, models.CASCADE, null=True, blank=True, related_name="postbacks")
    code = models.CharField(max_length=4)
    fields = models.JSONField()
    dialect = models.CharField(
        max_length=7,
        choices=Account.Dialect,
        default=Account.Dialect.SINCH,
        help_text="The account's dialect when the postback was written. It stays the same on every try.",
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    due_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    earlier_tries = models.PositiveSmallIntegerField(default=0, help_text="Tries before the last replay.")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was delivered or given up.")

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["account", "due_at"], condition=Q(due_at__isnull=False), name="postback_due"),
            # Its condition is that of one query alone: it must not serve the query by account, which could then read
            # the due postbacks of all other accounts.
            models.Index(fields=["due_at"], condition=Q(status="pending"), name="postback_oldest_due"),
            models.Index(fields=["account", "ended_at"], condition=Q(status="given-up"), name="postback_given_up"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.pk}"

    @property
    def target_url(self) -> str:
        """The URL to send it to: the account's current one, so that a corrected URL applies to waiting postbacks."""
        from_handset = self.fields.get("origin") == "MMS_MO"
        return str((from_handset and self.account.mo_url) or self.account.postback_url)

    @property
    def tries_since_replay(self) -> int:
        """The number of tries since it was last replayed, or since it was written."""
        return self.tries - self.earlier_tries


class PostbackAttempt(models.Model):
    """One POST to the customer's URL. The row is written before the request leaves."""

    postback = models.ForeignKey(Postback, models.CASCADE, related_name="attempts")
    url = HttpURLField("URL", blank=True)
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField("duration", null=True, blank=True, help_text="Milliseconds.")
    http_status = models.PositiveSmallIntegerField("HTTP status", null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    answer = models.TextField(blank=True, help_text="The first 2 KB.")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.started_at}"
