"""Content from customers: media stored once by the hash of their bytes, templates that refer to them."""

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TypeVar

import structlog
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError, transaction

from base.stale_cache import stale_cached
from billing.models import Account
from mms.adaptation.content import Area, Source
from mms.content import deletion, encodings
from mms.models import Medium, Slide, SlideMedium, Template, TextArea

log = structlog.get_logger()

Result = TypeVar("Result")
# Unlocks or fails a template whose encodings ended (mms/encoding); messages wait for that, which content does not know.
Conclude = Callable[[Template, datetime], None]
Files = Mapping[str, str]  # the hash of a medium -> the name of the file that holds its bytes


@dataclass(frozen=True, slots=True)
class NewMedium:
    """A medium as it was fetched, inspected, from this URL."""

    source: Source
    data: bytes
    url: str


@dataclass(frozen=True, slots=True)
class NewSlide:
    """A slide of a template to be: seconds, text, media, the texts that are drawn onto its still picture."""

    duration: int
    text: str
    media: tuple[NewMedium, ...]
    areas: tuple[Area, ...] = ()


class _MediumRemoved(Exception):
    """A medium that was known has gone with the last template that showed it: it has to be stored anew."""


@stale_cached
def get_template(account: Account, key: int) -> Template | None:
    """The account's content of this mms-id, in whatever state it is, unless the customer deleted it."""
    return Template.objects.filter(account=account, pk=key, deleted_at=None).first()


def save_template(template: Template, slides: Sequence[NewSlide], conclude: Conclude, now: datetime) -> None:
    """Stores the template with these slides, all of it or nothing.

    It can be sent when this returns, unless it has audio or video.
    """

    def create(files: Files) -> None:
        with creating_template(template, slides, files, conclude, now):
            pass

    with_stored_files(slides, create)


def with_stored_files(slides: Sequence[NewSlide], act: Callable[[Files], Result]) -> Result:
    """What `act` returns, which may create content of these slides; their files are stored before.

    So no row lacks its file. It is called anew where media are removed meanwhile that need no file as it begins.
    Afterwards the files go that no row came to name.
    """
    fetched = {medium.source.sha256: medium for slide in slides for medium in slide.media}
    while True:
        known = set(Medium.objects.filter(sha256__in=fetched).values_list("sha256", flat=True))
        try:
            with _stored_files([medium for sha256, medium in fetched.items() if sha256 not in known]) as files:
                return act(files)
        except _MediumRemoved:
            continue


@contextmanager
def creating_template(
    template: Template, slides: Sequence[NewSlide], files: Files, conclude: Conclude, now: datetime
) -> Iterator[None]:
    """Stores the template with these slides, all of it or nothing, in one transaction with what the block does.

    With audio or video it is locked in the block, and unlocked after it if those were encoded before.
    """
    with transaction.atomic():
        media = _media_rows(slides, files)
        locked = encodings.request(media.values(), now)
        template.status = Template.Status.ENCODING if locked else Template.Status.READY
        template.save()
        for position, slide in enumerate(slides, 1):
            _create_slide(template, position, slide, media)
        yield
        if locked:
            conclude(template, now)


def _media_rows(slides: Sequence[NewSlide], files: Files) -> dict[str, Medium]:
    """The rows of the slides' media by their hashes, kept from removal until the transaction ends."""
    sources = {medium.source.sha256: medium.source for slide in slides for medium in slide.media}
    known = Medium.objects.in_bulk(sources.keys() - files.keys(), field_name="sha256")
    if known.keys() | files.keys() < sources.keys():
        raise _MediumRemoved
    # In one order, or two requests that store the same media could each wait for the other.
    media = known | {sha256: _create_medium(sources[sha256], files[sha256]) for sha256 in sorted(files)}
    # All of them: what was new may have been stored by another meanwhile, who deletes it again.
    if not deletion.hold_media(media.values()):
        raise _MediumRemoved
    return media


@contextmanager
def _stored_files(new: Sequence[NewMedium]) -> Iterator[Files]:
    """Files of these media. At the end those go that no row came to name: the rows failed, were not wanted, or another
    request stored the same bytes meanwhile.

    What became of the rows is decided by then, and stands: a file that cannot be removed is left to
    mms/content/orphaned_files.py, as are those whose rows nobody knows of, because the connection was lost: their
    commit may still come.
    """
    names: dict[str, str] = {}
    try:
        for medium in new:
            sha256 = medium.source.sha256
            name = f"media/{sha256[:2]}/{sha256}-{secrets.token_hex(4)}"  # never used again once it is removed
            names[sha256] = default_storage.save(name, ContentFile(medium.data))
        yield names
    except OperationalError:
        names.clear()
        raise
    finally:
        try:
            _remove_unnamed(names.values())
        except Exception:
            log.exception("files are left that no row may name", files=list(names.values()))


def _remove_unnamed(files: Collection[str]) -> None:
    named = Medium.objects.filter(file__in=files).values_list("file", flat=True)
    for file in set(files).difference(named):
        default_storage.delete(file)


def _create_medium(source: Source, file: str) -> Medium:
    values = asdict(source)
    values.pop("variants")  # they are the renditions of an encoding
    medium, _ = Medium.objects.get_or_create(sha256=values.pop("sha256"), defaults={**values, "file": file})
    return medium


def _create_slide(template: Template, position: int, new: NewSlide, media: Mapping[str, Medium]) -> None:
    slide = Slide.objects.create(template=template, position=position, duration=new.duration, text=new.text)
    SlideMedium.objects.bulk_create(
        SlideMedium(slide=slide, medium=media[medium.source.sha256], source_url=medium.url) for medium in new.media
    )
    TextArea.objects.bulk_create(TextArea(slide=slide, **asdict(area)) for area in new.areas)
