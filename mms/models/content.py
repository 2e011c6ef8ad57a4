"""Stored content: templates with their slides, source media, encodings and renditions."""

from collections.abc import Iterable
from enum import StrEnum

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from billing.models import Account
from mms.adaptation.content import COLOR, FONT_SIZE_MAX, FONT_SIZE_MIN, Align, Area, Font, VerticalAlign


class Template(models.Model):
    """Stored MMS content. Its primary key is the mms-id of the API. Locked until its audio and video are encoded."""

    class Status(models.TextChoices):
        ENCODING = "encoding"  # cannot be sent yet
        READY = "ready"
        FAILED = "failed"  # its audio or video could not be encoded; can never be sent

    account = models.ForeignKey(Account, models.PROTECT, related_name="templates")
    name = models.CharField(max_length=200)
    subject = models.CharField(
        max_length=500, blank=True, help_text="May contain merge tags. At most 80 characters are sent."
    )
    status = models.CharField(max_length=8, choices=Status, default=Status.READY)
    problem = models.CharField(max_length=300, blank=True, help_text="Why encoding failed.")
    # Defaults for messages that do not set them. (With database defaults for the previous release of the code.)
    fallback_text = models.TextField(blank=True, default="", db_default="")
    disable_fallback_sms = models.BooleanField("fallback SMS disabled", default=False, db_default=False)
    disable_fallback_sms_link = models.BooleanField("fallback SMS link disabled", default=False, db_default=False)
    fallback_sms_link_expiration = models.DateTimeField("fallback SMS link expiration", null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="When the customer deleted it. It can no longer be sent."
    )
    due_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When content that was deleted, or made by sendMMS, is removed or checked again.",
    )

    class Meta:
        indexes = [
            models.Index(fields=["account", "-id"], condition=Q(deleted_at=None), name="template_by_account"),
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="template_due"),
        ]

    def __str__(self) -> str:
        return f"template {self.pk}"  # not its name: titles of pages are not masked

    @property
    def label(self) -> str:
        """The mms-id with the customer's name for it."""
        return f"{self.pk} {self.name}"


class Medium(models.Model):
    """A source file as a customer supplied it, stored once for all customers who supply the same bytes."""

    class Kind(models.TextChoices):
        IMAGE = "image"
        AUDIO = "audio"
        VIDEO = "video"
        OBJECT = "object"

    sha256 = models.CharField("SHA-256", max_length=64, unique=True)
    kind = models.CharField(max_length=10, choices=Kind)
    mime_type = models.CharField("MIME type", max_length=100)
    size = models.PositiveIntegerField(help_text="Bytes.")
    width = models.PositiveIntegerField(default=0, help_text="Pixels, before EXIF rotation.")
    height = models.PositiveIntegerField(default=0, help_text="Pixels, before EXIF rotation.")
    orientation = models.PositiveSmallIntegerField(default=1, help_text="EXIF orientation, 1 to 8.")
    frames = models.PositiveIntegerField(default=1)
    transparent = models.BooleanField(default=False)
    cmyk = models.BooleanField("CMYK", default=False)
    coding = ArrayField(
        models.CharField(max_length=40),
        null=True,
        blank=True,
        help_text="What a handset may fail to decode of it. Unknown for media stored by former releases.",
    )
    file = models.FileField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "media"

    def __str__(self) -> str:
        return f"{self.kind} {self.sha256[:12]}"


class Encoding(models.Model):
    """The encoding of an audio or video in the formats of the handsets, once for each medium.

    `due_at` is the time to begin or the end of the lease; a finished encoding has none.
    """

    class Status(models.TextChoices):
        DUE = "due"
        DONE = "done"
        FAILED = "failed"

    medium = models.OneToOneField(Medium, models.CASCADE, related_name="encoding")
    status = models.CharField(max_length=6, choices=Status, default=Status.DUE)
    due_at = models.DateTimeField(
        null=True, blank=True, help_text="When encoding starts; once started, when its lease ends."
    )
    tries = models.PositiveSmallIntegerField(default=0)
    seconds = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Playing time.")
    problem = models.CharField(max_length=300, blank=True, help_text="Why encoding failed.")

    class Meta:
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="encoding_due")]

    def __str__(self) -> str:
        return f"encoding of {self.medium_id}"


class Slide(models.Model):
    """A slide of a template."""

    template = models.ForeignKey(Template, models.CASCADE, related_name="slides")
    position = models.PositiveSmallIntegerField(help_text="The first slide has position 1.")
    duration = models.PositiveSmallIntegerField(help_text="Seconds.")
    text = models.TextField(blank=True)
    media = models.ManyToManyField(Medium, through="SlideMedium")

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["template", "position"], name="slide_once_per_position")]

    def __str__(self) -> str:
        return f"slide {self.position}"


def _choices(values: Iterable[StrEnum]) -> list[tuple[str, str]]:
    return [(value.value, value.value) for value in values]


class TextArea(models.Model):
    """A text that is drawn onto the picture of a slide, anew for each message, in the order of the primary keys.

    Positions and sizes are in pixels of the source picture after its EXIF rotation.
    """

    slide = models.ForeignKey(Slide, models.CASCADE, related_name="areas")
    text = models.TextField(help_text="May contain merge tags.")
    left = models.PositiveIntegerField(help_text="Pixels.")
    top = models.PositiveIntegerField(help_text="Pixels.")
    width = models.PositiveIntegerField(validators=[MinValueValidator(1)], help_text="Pixels.")
    height = models.PositiveIntegerField(validators=[MinValueValidator(1)], help_text="Pixels.")
    font_size = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(FONT_SIZE_MIN), MaxValueValidator(FONT_SIZE_MAX)], help_text="Pixels."
    )
    font = models.CharField(max_length=20, choices=_choices(Font), default=Font.SANS.value)
    color = models.CharField("color", max_length=7, default="#000000", validators=[RegexValidator(COLOR)])
    align = models.CharField(max_length=6, choices=_choices(Align), default=Align.LEFT.value)
    vertical_align = models.CharField(max_length=6, choices=_choices(VerticalAlign), default=VerticalAlign.TOP.value)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"text area {self.pk}"

    def area(self) -> Area:
        """Return the area as the value that adaptation works with."""
        return Area(
            text=self.text,
            left=self.left,
            top=self.top,
            width=self.width,
            height=self.height,
            font_size=self.font_size,
            font=Font(self.font),
            color=self.color,
            align=Align(self.align),
            vertical_align=VerticalAlign(self.vertical_align),
        )


class SlideMedium(models.Model):
    """A medium in a slide, with the URL from which the customer's request took it."""

    slide = models.ForeignKey(Slide, models.CASCADE)
    medium = models.ForeignKey(Medium, models.PROTECT)
    source_url = models.URLField("source URL", max_length=2000)

    def __str__(self) -> str:
        return self.source_url


class Rendition(models.Model):
    """A medium adapted to one set of limits, made once and shared by all messages that need it."""

    medium = models.ForeignKey(Medium, models.CASCADE, related_name="renditions")
    recipe = models.CharField(max_length=100)
    mime_type = models.CharField("MIME type", max_length=100)
    size = models.PositiveIntegerField(help_text="Bytes.")
    width = models.PositiveIntegerField(help_text="Pixels; 0 for audio.")
    height = models.PositiveIntegerField(help_text="Pixels; 0 for audio.")
    quality = models.PositiveSmallIntegerField(null=True, help_text="JPEG quality, 1 to 100.")
    ssim = models.FloatField(
        "SSIM", null=True, help_text="Structural similarity to the resized original; 1 means identical."
    )
    file = models.FileField(max_length=250)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["medium", "recipe"], name="rendition_once_per_recipe")]

    def __str__(self) -> str:
        return self.recipe


class DiscardedFile(models.Model):
    """A stored file that no row refers to any more, listed until it has been removed."""

    file = models.CharField(max_length=250)
    due_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="discarded_file_due")]

    def __str__(self) -> str:
        return self.file
