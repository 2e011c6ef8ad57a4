"""Carriers, and the number prefixes that route to them."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from base.http_url import HttpURLField

REL_6_MM7_1_4 = "http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/REL-6-MM7-1-4"


def no_overrides() -> dict[str, Any]:
    """Return the default of the override fields."""
    return {}


class Carrier(models.Model):
    """A mobile network, with the access to its MMSC and the credentials that its MMSC uses here."""

    name = models.CharField(max_length=100, unique=True)
    slug = models.SlugField(unique=True, help_text="Last part of the URL that its MMSC calls, after /mm7/.")
    operator_id = models.PositiveIntegerField("operator ID", unique=True)
    enabled = models.BooleanField(
        default=True, help_text="When disabled, new messages are refused and accepted ones wait."
    )
    mmsc_url = HttpURLField("MMSC URL", blank=True)
    mmsc_username = models.CharField("MMSC username", max_length=100, blank=True)
    mmsc_password = models.CharField("MMSC password", max_length=100, blank=True)
    vaspid = models.CharField("VASPID", max_length=100)
    vasid = models.CharField("VASID", max_length=100)
    mm7_version = models.CharField("MM7 version", max_length=10, default="6.8.0")
    mm7_namespace = models.CharField("MM7 namespace", max_length=200, default=REL_6_MM7_1_4)
    base64_parts = models.BooleanField(
        "Base64 parts",
        default=False,
        help_text="Encode parts in Base64, for an MMSC that does not accept binary parts.",
    )
    code_overrides = models.JSONField(
        default=no_overrides,
        blank=True,
        help_text='Outcomes of MM7 status codes that differ from the standard, such as {"3001": "permanent"}.',
    )
    status_overrides = models.JSONField(
        default=no_overrides,
        db_default=models.Value({}, models.JSONField()),
        blank=True,
        help_text='Meanings of MMStatus values that differ from the standard, such as {"4": "Rejected"}.',
    )
    message_bytes = models.PositiveIntegerField(
        "largest message", default=307_200, help_text="Bytes, before any Base64 encoding."
    )
    timeout = models.PositiveSmallIntegerField(
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(60)],
        help_text="Seconds to wait for the answer to a submit. After that the message is in doubt.",
    )
    throughput = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(10_000)],
        help_text="Submits a second, messages and DDMs together, never exceeded. Leave empty for no limit.",
    )
    inbound_username = models.CharField("inbound username", max_length=100, blank=True)
    inbound_password = models.CharField("inbound password", max_length=100, blank=True)
    inbound_networks = ArrayField(
        models.CharField(max_length=50),
        default=list,
        blank=True,
        help_text="Addresses that its MMSC may call from, in CIDR notation. Leave empty to allow any.",
    )

    def __str__(self) -> str:
        return self.name


class NumberPrefix(models.Model):
    """A prefix of the numbers that belong to a carrier. The longest matching prefix wins."""

    prefix = models.CharField(
        max_length=15, unique=True, validators=[RegexValidator(r"^[0-9]+$", "Enter digits only.")]
    )
    carrier = models.ForeignKey(Carrier, models.CASCADE, related_name="prefixes")

    class Meta:
        verbose_name_plural = "number prefixes"

    def __str__(self) -> str:
        return self.prefix
