"""Prices, the append-only ledger and the balances derived from it. Amounts are micro-units: 1,000,000 is 1.00."""

from django.db import models
from django.db.models import Q

from billing.amounts import format_decimal
from billing.models.accounts import COUNTRY, Account


class Price(models.Model):
    """The price of one message of a class, optionally limited to an account, a country and an operator.

    The most specific price applies: an account before an operator, an operator before a country.
    """

    class Class(models.TextChoices):
        MMS = "mms", "MMS"
        DDM = "ddm", "DDM"
        SMS = "sms", "Fallback SMS segment"
        MO = "mo", "MO"

    account = models.ForeignKey(
        Account, models.CASCADE, null=True, blank=True, help_text="Leave empty for all accounts."
    )
    message_class = models.CharField(
        "class", max_length=3, choices=Class, help_text="Prices for fallback SMS and MO have no effect yet."
    )
    country = models.CharField(
        max_length=2, blank=True, validators=[COUNTRY], help_text="ISO 3166 code. Leave empty for all countries."
    )
    operator_id = models.PositiveIntegerField(
        "operator ID", null=True, blank=True, help_text="Leave empty for all operators."
    )
    amount = models.PositiveBigIntegerField(help_text="In the currency of each account.")  # micro-units

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "message_class", "country", "operator_id"],
                nulls_distinct=False,
                name="price_once",
                violation_error_message="There is already a price with this class, account, country and operator.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_message_class_display()} {format_decimal(self.amount)}"


class Balance(models.Model):
    """The sum of an account's ledger, stored so that accepting a message checks and locks a single row."""

    account = models.OneToOneField(Account, models.CASCADE, primary_key=True, related_name="balance")
    balance = models.BigIntegerField(
        default=0, help_text="Micro-units: payments and adjustments minus charges, plus refunds."
    )
    reserved = models.BigIntegerField(
        default=0, help_text="Micro-units reserved for messages that are not charged yet."
    )
    month = models.DateField(
        null=True, blank=True, help_text="First day of the month that the spent amount belongs to."
    )
    spent = models.BigIntegerField(default=0, help_text="Micro-units: charges of that month minus refunds.")
    low_since = models.DateTimeField(null=True, blank=True, help_text="When the last low-balance notice was written.")

    def __str__(self) -> str:
        return format_decimal(self.balance)


class LedgerEntry(models.Model):
    """A booking. Entries are never changed or deleted; another entry corrects a mistake."""

    class Kind(models.TextChoices):
        TOP_UP = "top-up", "Top-up"
        RESERVE = "reserve"  # the highest price of an accepted message
        CHARGE = "settle", "Charge"  # its price, once a carrier accepted it
        RELEASE = "release"  # the part of the reservation that was not charged
        REFUND = "refund"
        ADJUSTMENT = "adjustment"

    account = models.ForeignKey(Account, models.PROTECT, related_name="ledger")
    kind = models.CharField(max_length=10, choices=Kind)
    message = models.BigIntegerField(null=True, blank=True, help_text="Primary key of the message.")
    balance_change = models.BigIntegerField(help_text="Micro-units.")
    reserved_change = models.BigIntegerField(help_text="Micro-units.")
    note = models.CharField(max_length=200, blank=True)
    form = models.UUIDField(
        null=True,
        blank=True,
        editable=False,
        help_text="The form that an operator sent. Sent twice, it is booked once.",
    )
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "ledger entries"
        ordering = ["id"]
        constraints = [
            # A repeated step books nothing.
            models.UniqueConstraint(fields=["message", "kind"], condition=Q(message__isnull=False), name="booked_once")
        ]
        indexes = [
            models.Index(fields=["account", "created_at"], name="ledger_by_account"),
            # Top-ups and adjustments, which are few among the entries of messages.
            models.Index(fields=["account", "id"], condition=Q(message__isnull=True), name="ledger_by_hand"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


class LowBalanceNotice(models.Model):
    """A notice that an account's available amount fell below its threshold; sent by a worker as an e-mail."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="low_balance_notices")
    available = models.BigIntegerField(help_text="Micro-units, when the notice was written.")
    low_balance_at = models.BigIntegerField(
        "low-balance threshold", help_text="Micro-units, when the notice was written."
    )
    email = models.EmailField("e-mail", blank=True)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True, help_text="When the e-mail is sent or retried.")
    sent_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True, help_text="Why the last try failed.")

    class Meta:
        verbose_name = "low-balance notice"
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="low_balance_notice_due")]

    def __str__(self) -> str:
        return f"{self.account} {format_decimal(self.available)}"


class Proof(models.Model):
    """The result of one reconciliation of all balances with the ledger."""

    at = models.DateTimeField()
    accounts = models.PositiveIntegerField(help_text="Accounts whose balance differs from their ledger.")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}: {self.accounts} accounts differ"
