"""Notifications to customers: rows written with the step that caused them, and every attempt to hand them over."""

from django.db import models
from django.db.models import Q

from billing.models import Account
from mms.models.messages import Message


class Postback(models.Model):
    """One notification. For one message, a later one waits until the earlier is taken or given up."""

    class Status(models.TextChoices):
        PENDING = "pending"
        TAKEN = "taken"
        GIVEN_UP = "given-up"

    account = models.ForeignKey(Account, models.PROTECT, related_name="postbacks")
    message = models.ForeignKey(Message, models.CASCADE, null=True, blank=True, related_name="postbacks")
    code = models.CharField(max_length=4)
    fields = models.JSONField()
    url = models.URLField("URL", max_length=500)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    due_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["account", "due_at"], condition=Q(due_at__isnull=False), name="postback_due"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.pk}"


class PostbackAttempt(models.Model):
    """One POST to the customer. Its row is there before the request leaves."""

    postback = models.ForeignKey(Postback, models.CASCADE, related_name="attempts")
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    http_status = models.PositiveSmallIntegerField("HTTP status", null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    answer = models.TextField(blank=True, help_text="its first 2 KB")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.started_at}"
