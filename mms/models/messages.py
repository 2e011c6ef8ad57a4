"""Messages, discoveries, and the timeline of each message."""

from typing import Any

from django.db import models
from django.db.models import Q

from billing.models import Account, Service
from handsets.models import Handset
from mms.models import tracking_ids
from mms.models.carrier_feed import Grant
from mms.models.carriers import Carrier
from mms.models.content import Template


class Status(models.TextChoices):
    """The status of a message or discovery. `due_at` is when it leaves the status; a final status has none."""

    ENCODING = "encoding"  # waits for its template's audio and video; due_at is its expiry
    ACCEPTED = "accepted"  # to be sent at due_at
    DISCOVERING = "discovering"  # waits for the report of a DDM; due_at is its deadline
    SENDING = "sending"  # claimed by a worker; due_at is the end of the lease
    SUBMITTED = "submitted"  # accepted by the MMSC; due_at is a grace after its expiry
    IN_DOUBT = "in_doubt", "In doubt"  # the request left, the answer never came; due_at as above
    DELIVERED = "delivered"
    EXPIRED = "expired"
    REJECTED = "rejected"
    FAILED = "failed"


FINAL = (Status.DELIVERED, Status.EXPIRED, Status.REJECTED, Status.FAILED)
# Every transaction that locks several messages or discoveries locks them in this order, to avoid deadlocks.
LOCK_ORDER = ("number", "pk")
AWAITING_REPORT = (Status.SUBMITTED, Status.IN_DOUBT)


class Sendable(models.Model):
    """The common part of messages and discoveries, both of which are submitted to a carrier's MMSC."""

    number = models.CharField(max_length=15, db_index=True, help_text="Recipient, E.164 without the plus sign.")
    sender = models.CharField(max_length=15, help_text="Sender address.")
    carrier = models.ForeignKey(Carrier, models.PROTECT)
    status = models.CharField(max_length=12, choices=Status, default=Status.ACCEPTED)
    due_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(help_text="After this it is not sent, and no report is expected.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="Submit attempts so far.")
    refusals = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Answers so far after which it is tried again, counted for the schedule."
    )
    losses = models.PositiveSmallIntegerField(default=0, help_text="Workers that died while preparing it.")
    created_at = models.DateTimeField()
    # The grant under which it was claimed, if its carrier is limited now. Of the object in memory, not of the row.
    grant: Grant | None = None

    class Meta:
        abstract = True

    @property
    def transaction_id(self) -> str:
        """The MM7 TransactionID, the same on every try, so that an MMSC can recognize a repetition."""
        return f"{self._meta.model_name}-{self.pk}"

    @property
    def is_final(self) -> bool:
        return self.status in FINAL


def sendable_indexes(prefix: str) -> list[models.Index]:
    """Return the indexes that find due rows at a cost independent of the backlog."""
    return [
        models.Index(fields=["carrier", "due_at"], condition=Q(status=Status.ACCEPTED), name=f"{prefix}_to_send"),
        models.Index(
            fields=["status", "due_at"],
            condition=Q(due_at__isnull=False) & ~Q(status=Status.ACCEPTED),
            name=f"{prefix}_due",
        ),
    ]


class Discovery(Sendable):
    """The discovery of the handset of one number by one DDM, shared by all messages that wait for it."""

    account = models.ForeignKey(Account, models.PROTECT, help_text="Account of the message that started it.")
    message = models.BigIntegerField(null=True, blank=True, help_text="Primary key of the message that started it.")
    subject = models.CharField(max_length=80)
    text = models.TextField()
    handset = models.ForeignKey(Handset, models.SET_NULL, null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "discoveries"
        indexes = sendable_indexes("discovery")
        constraints = [
            # Two messages to one number share one DDM.
            models.UniqueConstraint(
                fields=["number"], condition=Q(due_at__isnull=False), name="one_open_discovery_per_number"
            )
        ]

    def __str__(self) -> str:
        return f"discovery {self.pk}"


class Message(Sendable):
    """One template sent to one number. Customers know it by its tracking ID."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="messages")
    template = models.ForeignKey(Template, models.PROTECT, related_name="messages")
    service = models.ForeignKey(Service, models.PROTECT, related_name="messages", null=True, blank=True)
    country = models.CharField(max_length=2, blank=True, help_text="Country of the number, ISO 3166.")
    operator_id = models.CharField("operator ID", max_length=10, blank=True, help_text="As requested.")
    subject = models.CharField(max_length=80)
    texts = models.JSONField(default=dict, blank=True, help_text="Texts by slide that replace those of the template.")
    data = models.JSONField(default=dict, blank=True, help_text="Values by merge tag.")
    fallback_text = models.TextField(blank=True)
    disable_fallback_sms = models.BooleanField("fallback SMS disabled", default=False)
    disable_fallback_sms_link = models.BooleanField("fallback SMS link disabled", default=False)
    fallback_sms_link_expiration = models.DateTimeField("fallback SMS link expiration", null=True, blank=True)
    from_mask = models.CharField(max_length=11, blank=True, help_text="As requested; not sent.")
    client_reference = models.CharField(max_length=200, blank=True)
    ddm_text = models.TextField("DDM text", blank=True)
    ddm_subject = models.CharField("DDM subject", max_length=80, blank=True)
    ddm_timeout = models.PositiveSmallIntegerField("DDM timeout", default=5, help_text="Minutes.")
    ddm_force = models.BooleanField("DDM forced", default=False)
    discovery = models.ForeignKey(Discovery, models.PROTECT, null=True, blank=True, related_name="messages")
    handset = models.ForeignKey(
        Handset,
        models.SET_NULL,
        null=True,
        blank=True,
        help_text="Handset that the message is adapted to. Empty for the generic profile.",
    )
    profile_used = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text="The profile that it was adapted to, as it was called then. Empty until it is adapted.",
    )
    price_mms = models.PositiveBigIntegerField(
        "MMS price", default=0, help_text="Micro-units, fixed when the message is accepted."
    )
    price_ddm = models.PositiveBigIntegerField(
        "DDM price", default=0, help_text="Micro-units, fixed when the message is accepted."
    )
    reserved = models.PositiveBigIntegerField(default=0, help_text="Micro-units, the highest price of the message.")
    pays_ddm = models.BooleanField("pays for the DDM", default=False)
    submitted_at = models.DateTimeField(null=True, blank=True)
    final_at = models.DateTimeField("ended at", null=True, blank=True)

    class Meta:
        permissions = [("see_numbers", "Can see whole numbers")]
        indexes = [
            *sendable_indexes("message"),
            models.Index(fields=["account", "-id"], name="message_by_account"),
            models.Index(
                fields=["client_reference", "-id"],
                condition=~Q(client_reference=""),
                name="message_by_client_reference",
            ),
            # Tells whether the content of a deleted template is still needed.
            models.Index(fields=["template"], condition=Q(due_at__isnull=False), name="message_of_template"),
        ]

    def __str__(self) -> str:
        return self.tracking_id

    @property
    def tracking_id(self) -> str:
        return tracking_ids.format_tracking_id(self.pk)


def no_details() -> dict[str, Any]:
    """Return the default of Event.details."""
    return {}


class Event(models.Model):
    """An entry of a message's timeline, written in the transaction of the step that it records."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="events")
    at = models.DateTimeField()
    kind = models.CharField(max_length=30)
    text = models.TextField(blank=True)
    details = models.JSONField(default=no_details, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.kind
