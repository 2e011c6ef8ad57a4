"""Content from customers: media stored once by the hash of their bytes, templates that refer to them."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TypeVar

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from billing.models import Account
from mms import removal
from mms.adaptation.content import Source
from mms.encoding import queue as encodings
from mms.models import Medium, Slide, SlideMedium, Template

Result = TypeVar("Result")


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


class _MediumRemoved(Exception):
    """A medium that was known has gone with the last template that showed it: it has to be stored anew."""


def save(account: Account, name: str, subject: str, slides: Sequence[NewSlide], now: datetime) -> Template:
    """Stores the content, all of it or nothing. It can be sent when this returns, unless it has audio or video."""
    return save_and(lambda template: template, account, name, subject, slides, now)


def save_and(
    act: Callable[[Template], Result],
    account: Account,
    name: str,
    subject: str,
    slides: Sequence[NewSlide],
    now: datetime,
) -> Result:
    """Stores the content and acts on it, all of it or nothing, in one transaction; returns what the act does.

    A template with audio or video is locked during the act, and unlocked after it if those were encoded before.
    """
    while True:
        try:
            return _saved(act, Template(account=account, name=name, subject=subject), slides, now)
        except _MediumRemoved:
            continue


def _saved(act: Callable[[Template], Result], template: Template, slides: Sequence[NewSlide], now: datetime) -> Result:
    fetched = {medium.source.sha256: medium for slide in slides for medium in slide.media}
    known = Medium.objects.in_bulk(fetched, field_name="sha256")
    # In one order, or two requests that store the same media could each wait for the other.
    new = [fetched[sha256] for sha256 in sorted(fetched.keys() - known.keys())]
    with _files(new) as files, transaction.atomic():
        if not removal.hold(known.values()):
            raise _MediumRemoved
        rows = [_medium(medium.source, file) for medium, file in zip(new, files, strict=True)]
        media = known | {row.sha256: row for row in rows}
        locked = encodings.request(media.values(), now)
        template.status = Template.Status.ENCODING if locked else Template.Status.READY
        template.save()
        for position, slide in enumerate(slides, 1):
            _slide(template, position, slide, media)
        result = act(template)
        if locked:
            encodings.conclude(template, now)
    return result


@contextmanager
def _files(new: Sequence[NewMedium]) -> Iterator[list[str]]:
    """Files of these media, stored before their rows, so that no row lacks its file.

    At the end those go that no row came to name: the rows failed, or another request stored the same bytes meanwhile.
    """
    names: list[str] = []
    try:
        for medium in new:
            sha256 = medium.source.sha256
            name = f"media/{sha256[:2]}/{sha256}-{secrets.token_hex(4)}"  # never used again once it is removed
            names.append(default_storage.save(name, ContentFile(medium.data)))
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
