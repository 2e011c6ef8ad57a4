"""Answers kept for idempotency keys."""

from datetime import timedelta

from django.db import models

from billing.models import Account


class FirstAnswer(models.Model):
    """The answer to an accepted request with an idempotency key. A repeated request gets the same answer."""

    KEPT = timedelta(hours=24)

    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64, help_text="Hash of the request without its api-key.")
    answer = models.TextField(help_text="JSON as text: jsonb would not keep the order of its keys.")
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="first_answer_once_per_key")]

    def __str__(self) -> str:
        return self.key
