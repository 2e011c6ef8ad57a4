"""Content from customers: media stored once by the hash of their bytes, templates that refer to them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from billing.models import Account
from mms.adaptation.content import Source
from mms.models import Medium, Slide, SlideMedium, Template


@dataclass(frozen=True, slots=True)
class NewMedium:
    """A medium as it was fetched, inspected, from this URL."""

    source: Source
    data: bytes
    url: str


@dataclass(frozen=True, slots=True)
class NewSlide:
    """A slide of a template to be: seconds, text, media."""

    duration: int
    text: str
    media: tuple[NewMedium, ...]


def save(account: Account, name: str, subject: str, slides: Sequence[NewSlide]) -> Template:
    """Stores the content; it can be sent when this returns. Files first, so that no row lacks its file."""
    media = {new.source.sha256: _medium(new) for slide in slides for new in slide.media}
    with transaction.atomic():
        template = Template.objects.create(account=account, name=name, subject=subject)
        for position, new in enumerate(slides, 1):
            slide = Slide.objects.create(template=template, position=position, duration=new.duration, text=new.text)
            SlideMedium.objects.bulk_create(
                SlideMedium(slide=slide, medium=media[m.source.sha256], source_url=m.url) for m in new.media
            )
    return template


def _medium(new: NewMedium) -> Medium:
    """The medium of these bytes, stored now unless it is already."""
    known = Medium.objects.filter(sha256=new.source.sha256).first()
    if known:
        return known
    name = f"media/{new.source.sha256[:2]}/{new.source.sha256}"
    file = default_storage.save(name, ContentFile(new.data))
    values = asdict(new.source)
    medium, created = Medium.objects.get_or_create(sha256=values.pop("sha256"), defaults={**values, "file": file})
    if not created:
        default_storage.delete(file)  # another request stored the same bytes meanwhile
    return medium
