"""Prices, the append-only ledger, and the balances that it adds up to. Amounts are micro-units: 1,000,000 is 1.00."""

from django.db import models
from django.db.models import Q

from billing.amounts import format_decimal
from billing.models.accounts import COUNTRY, Account


class Price(models.Model):
    """What one message of a class costs: for one account or all, in one country, over one operator, or anywhere.

    The most specific price counts: the account's before the platform's, an operator's before a country's.
    """

    class Class(models.TextChoices):
        MMS = "mms", "MMS"
        DDM = "ddm", "DDM"
        SMS = "sms", "fallback SMS, a segment"
        MO = "mo", "MO"

    account = models.ForeignKey(Account, models.CASCADE, null=True, blank=True, help_text="Empty: every account.")
    message_class = models.CharField(
        "class", max_length=3, choices=Class, help_text="No fallback SMS is sent and no MO is charged yet."
    )
    country = models.CharField(max_length=2, blank=True, validators=[COUNTRY], help_text="Empty: every country.")
    operator_id = models.PositiveIntegerField("operator id", null=True, blank=True, help_text="Empty: every operator.")
    amount = models.PositiveBigIntegerField(help_text="In the account's currency, whichever that is.")  # micro-units

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "message_class", "country", "operator_id"],
                nulls_distinct=False,
                name="price_once",
                violation_error_message="There is a price for this already: change that one.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_message_class_display()} {format_decimal(self.amount)}"


class Balance(models.Model):
    """What an account's ledger adds up to, kept beside it so that an accept can be checked against one row."""

    account = models.OneToOneField(Account, models.CASCADE, primary_key=True, related_name="balance")
    balance = models.BigIntegerField(default=0, help_text="micro-units; what was paid less what was settled")
    reserved = models.BigIntegerField(default=0, help_text="micro-units; held for messages on their way")
    month = models.DateField(null=True, blank=True, help_text="the month that `spent` is of, by its first day")
    spent = models.BigIntegerField(default=0, help_text="micro-units; settled in that month, less refunds")
    low_since = models.DateTimeField(null=True, blank=True, help_text="when it was noticed to be low; none since")

    def __str__(self) -> str:
        return format_decimal(self.balance)


class LedgerEntry(models.Model):
    """One line of the books. Never changed, never deleted: what was wrong is put right by another line."""

    class Kind(models.TextChoices):
        TOP_UP = "top-up"
        RESERVE = "reserve"  # an accepted message's dearest way
        CHARGE = "settle", "Settle"  # what it really cost
        RELEASE = "release"  # the rest of what was reserved
        REFUND = "refund"
        ADJUSTMENT = "adjustment"

    account = models.ForeignKey(Account, models.PROTECT, related_name="ledger")
    kind = models.CharField(max_length=10, choices=Kind)
    message = models.BigIntegerField(null=True, blank=True, help_text="primary key of the message")
    balance_change = models.BigIntegerField(help_text="micro-units")
    reserved_change = models.BigIntegerField(help_text="micro-units")
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "ledger entries"
        ordering = ["id"]
        constraints = [
            # However often a step is repeated, it is booked once.
            models.UniqueConstraint(fields=["message", "kind"], condition=Q(message__isnull=False), name="booked_once")
        ]
        indexes = [
            models.Index(fields=["account", "created_at"], name="ledger_by_account"),
            # Top-ups and adjustments: few among the lines of messages.
            models.Index(fields=["account", "id"], condition=Q(message__isnull=True), name="ledger_by_hand"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class LowBalanceNotice(models.Model):
    """An account's available amount fell below what it asked to be told at; written once a fall, sent by a worker."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="low_balance_notices")
    available = models.BigIntegerField(help_text="micro-units, when it was noticed")
    low_balance_at = models.BigIntegerField(help_text="micro-units, what the account had set")
    email = models.EmailField("e-mail", blank=True)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True, help_text="when it is sent, or tried again")
    sent_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True, help_text="why the last try failed")

    class Meta:
        verbose_name = "low-balance notice"
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="low_balance_notice_due")]

    def __str__(self) -> str:
        return f"{self.account} {format_decimal(self.available)}"


class Proof(models.Model):
    """One comparison of the whole ledger with the balances that are kept beside it."""

    at = models.DateTimeField()
    accounts = models.PositiveIntegerField(help_text="whose balance is not what their ledger adds up to")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}: {self.accounts} differ"
