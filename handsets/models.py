"""What is known of handsets: identities, profiles of classes of handsets, and who has which."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Profile(models.Model):
    """The attributes of a class of handsets. An empty attribute is the parent's; the generic profile has all."""

    name = models.CharField(max_length=100, unique=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    generic = models.BooleanField(default=False, help_text="What every handset without a profile gets.")
    screen_width = models.PositiveIntegerField(null=True, blank=True, help_text="pixels")
    screen_height = models.PositiveIntegerField(null=True, blank=True, help_text="pixels")
    image_width = models.PositiveIntegerField(null=True, blank=True, help_text="largest image, pixels")
    image_height = models.PositiveIntegerField(null=True, blank=True, help_text="largest image, pixels")
    message_bytes = models.PositiveIntegerField(null=True, blank=True, help_text="largest message, bytes")
    mime_types = ArrayField(models.CharField(max_length=100), verbose_name="MIME types", null=True, blank=True)
    animated_gif = models.BooleanField("animated GIF", null=True, blank=True)
    smil = models.BooleanField("SMIL", null=True, blank=True)
    charset = models.CharField(max_length=20, null=True, blank=True)
    takes_mms = models.BooleanField("takes MMS", null=True, blank=True)
    takes_link = models.BooleanField("takes a link in SMS", null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["generic"], condition=Q(generic=True), name="one_generic_profile")
        ]

    def __str__(self) -> str:
        return self.name


class Handset(models.Model):
    """One identity string as carriers report it: a UAProf URL, a model name."""

    identity = models.CharField(max_length=500, unique=True)
    profile = models.ForeignKey(Profile, models.SET_NULL, null=True, blank=True, related_name="handsets")
    first_seen = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.identity


class CachedHandset(models.Model):
    """The handset cache: a number and the handset that it was last seen with."""

    class Source(models.TextChoices):
        DDM_REPORT = "ddm-report", "DDM report"
        DELIVERY_REPORT = "delivery-report", "delivery report"
        MO_MESSAGE = "mo-message", "MO message"
        LANDING_PAGE = "landing-page", "landing page"
        CUSTOMER = "caller", "Caller"
        IMPORT = "import"

    number = models.CharField(max_length=15, primary_key=True, help_text="E.164 digits")
    handset = models.ForeignKey(Handset, models.PROTECT, related_name="cached")
    previous_handset = models.ForeignKey(Handset, models.PROTECT, null=True, blank=True, related_name="+")
    source = models.CharField(max_length=20, choices=Source)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    def __str__(self) -> str:
        return self.number
