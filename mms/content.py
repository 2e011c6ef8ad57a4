"""Content from customers: media stored once by the hash of their bytes, templates that refer to them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from billing.models import Account
from mms.adaptation.content import Source
from mms.encoding import queue as encodings
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


def save(account: Account, name: str, subject: str, slides: Sequence[NewSlide], now: datetime) -> Template:
    """Stores the content, all of it or nothing. It can be sent when this returns, unless it has audio or video."""
    with saving(account, name, subject, slides, now) as template:
        pass
    return template


@contextmanager
def saving(account: Account, name: str, subject: str, slides: Sequence[NewSlide], now: datetime) -> Iterator[Template]:
    """Stores the content, all of it or nothing, in one transaction with what the block does.

    A template with audio or video is locked in the block, and unlocked after it if those were encoded before.
    """
    fetched = {medium.source.sha256: medium for slide in slides for medium in slide.media}
    known = Medium.objects.in_bulk(fetched, field_name="sha256")
    # In one order, or two requests that store the same media could each wait for the other.
    new = [fetched[sha256] for sha256 in sorted(fetched.keys() - known.keys())]
    with _files(new) as files, transaction.atomic():
        rows = [_medium(medium.source, file) for medium, file in zip(new, files, strict=True)]
        media = known | {row.sha256: row for row in rows}
        template = Template.objects.create(account=account, name=name, subject=subject)
        for position, slide in enumerate(slides, 1):
            _slide(template, position, slide, media)
        if encodings.request(media.values(), now):
            template.status = Template.Status.ENCODING
            template.save(update_fields=["status"])
        yield template
        if template.status == Template.Status.ENCODING:
            encodings.conclude(template, now)


@contextmanager
def _files(new: Sequence[NewMedium]) -> Iterator[list[str]]:
    """Files of these media, stored before their rows, so that no row lacks its file.

    At the end those go that no row came to name: the rows failed, or another request stored the same bytes meanwhile.
    """
    names: list[str] = []
    try:
        for medium in new:
            sha256 = medium.source.sha256
            names.append(default_storage.save(f"media/{sha256[:2]}/{sha256}", ContentFile(medium.data)))
        yield names
    finally:
        kept = Medium.objects.filter(file__in=names).values_list("file", flat=True)
        for name in set(names).difference(kept):
            default_storage.delete(name)


def _medium(source: Source, file: str) -> Medium:
    values = asdict(source)
    values.pop("forms")  # they are the renditions of an encoding
    medium, _ = Medium.objects.get_or_create(sha256=values.pop("sha256"), defaults={**values, "file": file})
    return medium


def _slide(template: Template, position: int, new: NewSlide, media: Mapping[str, Medium]) -> None:
    slide = Slide.objects.create(template=template, position=position, duration=new.duration, text=new.text)
    SlideMedium.objects.bulk_create(
        SlideMedium(slide=slide, medium=media[medium.source.sha256], source_url=medium.url) for medium in new.media
    )
