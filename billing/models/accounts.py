"""Who may send: accounts, their API keys, sender addresses and services."""

import secrets
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from billing.actions import Action
from billing.validators import networks, throughput

CURRENCY = RegexValidator(r"^[A-Z]{3}$", "An ISO 4217 currency code of three capital letters, such as USD.")
COUNTRY = RegexValidator(r"^[A-Z]{2}$", "An ISO 3166 country code of two capital letters, such as US.")
DIGITS = RegexValidator(r"^[0-9]{3,15}$", "3 to 15 digits, without + or spaces.")


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def no_throughput() -> dict[str, int]:
    return {}


class Account(models.Model):
    """A customer."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        BLOCKED = "blocked"
        BILLING_SUSPENDED = "billing-suspended"

    class Billing(models.TextChoices):
        PREPAID = "prepaid"
        POSTPAID = "postpaid"

    class Dialect(models.TextChoices):
        SINCH = "sinch", "Sinch XML"
        SKYCORE = "skycore", "Skycore XML"
        JSON = "json", "JSON"

    name = models.CharField(max_length=100, unique=True)
    status = models.CharField(max_length=20, choices=Status, default=Status.ACTIVE)
    api_access = models.BooleanField("API access", default=True)
    postback_url = models.URLField(
        "postback URL", blank=True, help_text="Where notifications go. Empty: none are sent."
    )
    mo_url = models.URLField(
        "MO URL", blank=True, help_text="Where messages from handsets are notified. Empty: at the postback URL."
    )
    postback_dialect = models.CharField(max_length=7, choices=Dialect, default=Dialect.SINCH)
    signing_secret = models.CharField(max_length=100, default=new_secret)
    previous_secret = models.CharField(
        max_length=100, blank=True, help_text="Signs beside the new one until the customer has changed over."
    )
    fallback_text_required = models.BooleanField(
        default=False, help_text="Refuse (E622) a request that has no fallback-sms-text."
    )
    fallback_disabled = models.BooleanField(
        "fallback SMS disabled",
        default=False,
        db_default=False,
        help_text="Of content that is stored from now on, where saveMMS or sendMMS does not say it.",
    )
    service_required = models.BooleanField(
        default=False, help_text="Refuse (E627) a Skycore request that has no CAMPAIGNREF."
    )
    image_bytes_max = models.PositiveIntegerField(
        "largest source image", default=5_000_000, help_text="In bytes; a larger one is refused (E331)."
    )
    audio_bytes_max = models.PositiveIntegerField(
        "largest source audio", default=5_000_000, help_text="In bytes; a larger one is refused (E332)."
    )
    video_bytes_max = models.PositiveIntegerField(
        "largest source video", default=25_000_000, help_text="In bytes; a larger one is refused (E333)."
    )
    object_bytes_max = models.PositiveIntegerField(
        "largest vCard, iCal, PDF, pass", default=1_000_000, help_text="In bytes; a larger one is refused (E335-E338)."
    )
    allowed_networks = ArrayField(
        models.CharField(max_length=50),
        default=list,
        blank=True,
        validators=[networks],
        help_text="Addresses it may call from (CIDR, comma-separated), else E112. Empty: any.",
    )
    minimum_interval = models.PositiveIntegerField(
        default=0, help_text="Milliseconds between two calls; a call that comes sooner is refused (E106). 0: none."
    )
    throughput = models.JSONField(
        default=no_throughput,
        blank=True,
        validators=[throughput],
        help_text='Calls per second by action, such as {"sendSavedMMS": 20}; more are refused (E113). Others: any.',
    )
    # Amounts are micro-units: 1,000,000 is 1.00.
    billing = models.CharField(max_length=8, choices=Billing, default=Billing.PREPAID)
    currency = models.CharField(
        max_length=3, default="USD", validators=[CURRENCY], help_text="Of every amount of the account."
    )
    credit_limit = models.PositiveBigIntegerField(
        default=0, help_text="Prepaid: how far below zero the balance may go."
    )
    spend_limit = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Postpaid: the most that a month may cost. Empty: no limit."
    )
    refund_undelivered = models.BooleanField(
        default=False, help_text="Give back what expired, rejected and failed messages cost."
    )
    low_balance_at = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="A notice is sent when less than this is available. Empty: never."
    )
    low_balance_postback = models.BooleanField(
        default=False, db_default=False, help_text="Low-balance notices go to the postback URL, too (N713)."
    )
    billing_email = models.EmailField(
        "e-mail for billing", blank=True, help_text="Where low-balance notices are mailed to. Empty: nowhere."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def signing_secrets(self) -> list[str]:
        """Every secret that signs postbacks now, the newest first."""
        return [secret for secret in (self.signing_secret, self.previous_secret) if secret]

    def calls_per_second(self, action: str) -> int | None:
        """How many calls of the action are let through in a second, or None where it has no limit."""
        limits: dict[str, Any] = self.throughput
        return next((limit for name, limit in limits.items() if name.lower() == action), None)


class ApiKey(models.Model):
    """One key of an account. Only a keyed hash is stored; the prefix lets people tell keys apart."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="api_keys")
    prefix = models.CharField(max_length=6, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    label = models.CharField(max_length=100, blank=True)
    allowed_actions = ArrayField(
        models.CharField(max_length=20, choices=Action),
        default=list,
        blank=True,
        help_text="What it may be used for, else E107. None chosen: everything.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField("last used", null=True, blank=True, editable=False, help_text="to the minute")

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.prefix}…"

    def may(self, action: str) -> bool:
        return not self.allowed_actions or action in self.allowed_actions


class SenderAddress(models.Model):
    """A short code or long number that messages come from, in one country.

    One without an account is the platform's own: the last resort for its country.
    """

    account = models.ForeignKey(
        Account, models.CASCADE, related_name="senders", null=True, blank=True, help_text="Empty: the platform's."
    )
    address = models.CharField(max_length=15, validators=[DIGITS])
    country = models.CharField(max_length=2, validators=[COUNTRY])
    default = models.BooleanField(default=False, help_text="Used where the sender asked for is another country's.")
    operators = ArrayField(
        models.PositiveIntegerField(),
        default=list,
        blank=True,
        help_text="Operator ids of the carriers it is provisioned on, else E619. Empty: all.",
    )

    class Meta:
        verbose_name_plural = "sender addresses"
        constraints = [
            models.UniqueConstraint(
                fields=["account", "address", "country"], nulls_distinct=False, name="sender_once_per_account"
            ),
            models.UniqueConstraint(
                fields=["account", "country"],
                condition=Q(default=True),
                nulls_distinct=False,
                name="one_default_sender_per_country",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.address} ({self.country})"

    def is_provisioned_on(self, operator_id: int) -> bool:
        return not self.operators or operator_id in self.operators


class Service(models.Model):
    """The campaign that a message belongs to; customers name it by service-id."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="services")
    code = models.CharField("service id", max_length=40)
    name = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "code"], name="service_once_per_account")]

    def __str__(self) -> str:
        return self.code


class BlockedNumber(models.Model):
    """A number that nothing is sent to: by one account, or by anybody."""

    account = models.ForeignKey(
        Account,
        models.CASCADE,
        related_name="blocked_numbers",
        null=True,
        blank=True,
        help_text="Empty: every account.",
    )
    number = models.CharField(max_length=15, validators=[DIGITS], help_text="country code first, digits only")
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            # By number first: that is what a message is checked by.
            models.UniqueConstraint(fields=["number", "account"], nulls_distinct=False, name="blocked_once_per_account")
        ]

    def __str__(self) -> str:
        return self.number
