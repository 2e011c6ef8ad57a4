"""Handsets as carriers report them, handset profiles, and the handset cache."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Profile(models.Model):
    """A handset profile. It inherits empty attributes from its parent, then from the generic profile."""

    name = models.CharField(max_length=100, unique=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    generic = models.BooleanField(default=False, help_text="Applies to handsets without a profile.")
    screen_width = models.PositiveIntegerField(null=True, blank=True, help_text="Pixels.")
    screen_height = models.PositiveIntegerField(null=True, blank=True, help_text="Pixels.")
    image_width = models.PositiveIntegerField("largest image width", null=True, blank=True, help_text="Pixels.")
    image_height = models.PositiveIntegerField("largest image height", null=True, blank=True, help_text="Pixels.")
    message_bytes = models.PositiveIntegerField("largest message", null=True, blank=True, help_text="Bytes.")
    mime_types = ArrayField(models.CharField(max_length=100), verbose_name="MIME types", null=True, blank=True)
    decodes = ArrayField(
        models.CharField(max_length=40),
        null=True,
        blank=True,
        help_text="Codings beyond the plainest that the handset decodes: originals in others are made anew.",
    )
    animated_gif = models.BooleanField("animated GIF", null=True, blank=True)
    smil = models.BooleanField("SMIL", null=True, blank=True)
    charset = models.CharField(max_length=20, null=True, blank=True)
    takes_mms = models.BooleanField("supports MMS", null=True, blank=True)
    takes_link = models.BooleanField("supports links in SMS", null=True, blank=True)

    class Meta:
        verbose_name = "handset profile"
        constraints = [
            models.UniqueConstraint(fields=["generic"], condition=Q(generic=True), name="one_generic_profile")
        ]

    def __str__(self) -> str:
        return self.name


class Handset(models.Model):
    """A handset identity as carriers report it, such as a UAProf URL or a model name."""

    identity = models.CharField(max_length=500, unique=True)
    profile = models.ForeignKey(Profile, models.SET_NULL, null=True, blank=True, related_name="handsets")
    first_seen = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.identity


class CachedHandset(models.Model):
    """An entry of the handset cache: a number and the handset it was last seen with."""

    class Source(models.TextChoices):
        DDM_REPORT = "ddm-report", "DDM report"
        DELIVERY_REPORT = "delivery-report", "Delivery report"
        MO_MESSAGE = "mo-message", "MO message"
        LANDING_PAGE = "landing-page", "Landing page"
        CUSTOMER = "caller", "Customer"
        IMPORT = "import"

    number = models.CharField(max_length=15, primary_key=True, help_text="E.164, without the plus sign.")
    handset = models.ForeignKey(Handset, models.PROTECT, related_name="cached")
    previous_handset = models.ForeignKey(Handset, models.PROTECT, null=True, blank=True, related_name="+")
    source = models.CharField(max_length=20, choices=Source)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta:
        verbose_name = "handset cache entry"
        verbose_name_plural = "handset cache entries"

    def __str__(self) -> str:
        return self.number
