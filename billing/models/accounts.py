"""Accounts of customers, their API keys, sender addresses, services and blocked numbers."""

import secrets
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from base.http_url import HttpURLField
from billing.actions import Action
from billing.validators import networks, throughput

CURRENCY = RegexValidator(r"^[A-Z]{3}$", "Enter an ISO 4217 currency code, such as USD.")
COUNTRY = RegexValidator(r"^[A-Z]{2}$", "Enter an ISO 3166 country code, such as US.")
DIGITS = RegexValidator(r"^[0-9]{3,15}$", "Enter 3 to 15 digits, without + or spaces.")


def new_secret() -> str:
    """Return a random secret for signing postbacks."""
    return secrets.token_urlsafe(32)


def no_throughput() -> dict[str, int]:
    """Return the default of Account.throughput: no limits. Migrations refer to this function."""
    return {}


class Account(models.Model):
    """The account of a customer: access, limits, postback settings and billing terms."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        BLOCKED = "blocked"
        BILLING_SUSPENDED = "billing-suspended", "Billing suspended"

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
    postback_url = HttpURLField(
        "postback URL", blank=True, help_text="Postbacks are sent here. Leave empty to send none."
    )
    mo_url = HttpURLField(
        "MO URL", blank=True, help_text="Postbacks for messages from handsets. Leave empty to use the postback URL."
    )
    postback_dialect = models.CharField(max_length=7, choices=Dialect, default=Dialect.SINCH)
    signing_secret = models.CharField(max_length=100, default=new_secret)
    previous_secret = models.CharField(
        max_length=100, blank=True, help_text="Also signs postbacks until the customer uses the new secret."
    )
    fallback_text_required = models.BooleanField(
        default=False, help_text="Refuse requests without a fallback-sms-text (E622)."
    )
    fallback_disabled = models.BooleanField(
        "fallback SMS disabled",
        default=False,
        db_default=False,
        help_text="The default for new templates. A saveMMS or sendMMS request can override it.",
    )
    service_required = models.BooleanField(
        default=False, help_text="Refuse Skycore requests without a CAMPAIGNREF (E627)."
    )
    image_bytes_max = models.PositiveIntegerField(
        "largest source image", default=5_000_000, help_text="Bytes. Larger images are refused (E331)."
    )
    audio_bytes_max = models.PositiveIntegerField(
        "largest source audio", default=5_000_000, help_text="Bytes. Larger audio files are refused (E332)."
    )
    video_bytes_max = models.PositiveIntegerField(
        "largest source video", default=25_000_000, help_text="Bytes. Larger videos are refused (E333)."
    )
    object_bytes_max = models.PositiveIntegerField(
        "largest other source file",
        default=1_000_000,
        help_text="Bytes. vCard, iCalendar, PDF and pass files above this are refused (E335-E338).",
    )
    allowed_networks = ArrayField(
        models.CharField(max_length=50),
        default=list,
        blank=True,
        validators=[networks],
        help_text="Addresses that may use the API, in CIDR notation, separated by commas. Others are refused (E112). "
        "Leave empty to allow any.",
    )
    minimum_interval = models.PositiveIntegerField(
        default=0, help_text="Milliseconds between two calls. Earlier calls are refused (E106). 0 for no limit."
    )
    throughput = models.JSONField(
        default=no_throughput,
        blank=True,
        validators=[throughput],
        help_text='Calls per second by action, such as {"sendSavedMMS": 20}. Calls above the limit are refused (E113).',
    )
    report_left_out = models.BooleanField(
        "reports parts left out",
        default=False,
        db_default=False,
        help_text="N101 says in its status-details which parts the handset cannot take. (getMessage always does.)",
    )
    skycore_text_xml = models.BooleanField(
        "Skycore answers as text/xml",
        default=False,
        db_default=False,
        help_text="Answers at /API/wxml/1.3/ are text/plain otherwise, which published Skycore clients expect.",
    )
    # Amounts are micro-units: 1,000,000 is 1.00.
    billing = models.CharField(max_length=8, choices=Billing, default=Billing.PREPAID)
    currency = models.CharField(
        max_length=3,
        default="USD",
        validators=[CURRENCY],
        help_text="ISO 4217 code. Applies to every amount of the account.",
    )
    credit_limit = models.PositiveBigIntegerField(
        default=0, help_text="Prepaid accounts: how far the balance may go below zero."
    )
    spend_limit = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Postpaid accounts: the highest cost per month. Leave empty for no limit."
    )
    refund_undelivered = models.BooleanField(
        "refund undelivered messages", default=False, help_text="Refund messages that expire, are rejected or fail."
    )
    low_balance_at = models.PositiveBigIntegerField(
        "low-balance threshold",
        null=True,
        blank=True,
        help_text="Send a notice when less than this is available. Leave empty for no notices.",
    )
    low_balance_postback = models.BooleanField(
        "low-balance postback",
        default=False,
        db_default=False,
        help_text="Also send low-balance notices to the postback URL (N713).",
    )
    billing_email = models.EmailField(
        "billing e-mail", blank=True, help_text="Low-balance notices are sent here. Leave empty to send no e-mail."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def signing_secrets(self) -> list[str]:
        """The secrets that sign postbacks now, newest first."""
        return [secret for secret in (self.signing_secret, self.previous_secret) if secret]

    def calls_per_second(self, action: str) -> int | None:
        """Return the action's limit of calls per second, or None if it has none."""
        limits: dict[str, Any] = self.throughput
        return next((limit for name, limit in limits.items() if name.lower() == action), None)


class ApiKey(models.Model):
    """An API key of an account. Only a keyed hash is stored; operators recognize a key by its prefix."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="api_keys")
    prefix = models.CharField(max_length=6, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    label = models.CharField(max_length=100, blank=True)
    allowed_actions = ArrayField(
        models.CharField(max_length=20, choices=Action),
        default=list,
        blank=True,
        help_text="The actions that the key may use. Others are refused (E107). Select none to allow all.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(
        "last used", null=True, blank=True, editable=False, help_text="Recorded to the minute."
    )
    # The hash under the current secret: set where the key itself is known, that is, by billing.keys.find.
    current_digest = ""

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.prefix}…"

    def allows(self, action: str) -> bool:
        return not self.allowed_actions or action in self.allowed_actions


class SenderAddress(models.Model):
    """A short code or long number that messages are sent from, in one country.

    An address without an account belongs to the platform. It is used when the account has none for the country.
    """

    account = models.ForeignKey(
        Account,
        models.CASCADE,
        related_name="senders",
        null=True,
        blank=True,
        help_text="Leave empty for an address of the platform.",
    )
    address = models.CharField(max_length=15, validators=[DIGITS])
    country = models.CharField(max_length=2, validators=[COUNTRY])
    default = models.BooleanField(
        default=False, help_text="Use it when the requested sender belongs to another country."
    )
    operators = ArrayField(
        models.PositiveIntegerField(),
        verbose_name="operator IDs",
        default=list,
        blank=True,
        help_text="The carriers where it is provisioned. Others are refused (E619). Leave empty for all.",
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
    """A named group of messages, such as a campaign; requests name it by service-id."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="services")
    code = models.CharField("service ID", max_length=40)
    name = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "code"], name="service_once_per_account")]

    def __str__(self) -> str:
        return self.code


class BlockedNumber(models.Model):
    """A number that one account, or every account, must not send to."""

    account = models.ForeignKey(
        Account,
        models.CASCADE,
        related_name="blocked_numbers",
        null=True,
        blank=True,
        help_text="Leave empty to block the number for every account.",
    )
    number = models.CharField(max_length=15, validators=[DIGITS], help_text="With country code, digits only.")
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            # The number comes first, because messages are checked by it.
            models.UniqueConstraint(fields=["number", "account"], nulls_distinct=False, name="blocked_once_per_account")
        ]

    def __str__(self) -> str:
        return self.number
