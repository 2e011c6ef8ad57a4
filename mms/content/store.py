"""Storage of customers' content: media, stored once by the hash of their bytes, and the templates that use them."""

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
# Makes a template ready, or fails it, if its encodings have ended. A parameter, because mms/encoding is a higher layer.
Conclude = Callable[[Template, datetime], None]
Files = Mapping[str, str]  # the hash of a medium -> the name of the file that holds its bytes


@dataclass(frozen=True, slots=True)
class NewMedium:
    """A medium downloaded from this URL and inspected."""

    source: Source
    data: bytes
    url: str


@dataclass(frozen=True, slots=True)
class NewSlide:
    """A slide of a new template: seconds, text, media, and the text areas of its picture."""

    duration: int
    text: str
    media: tuple[NewMedium, ...]
    areas: tuple[Area, ...] = ()


class _MediumRemoved(Exception):
    """A known medium was removed with its last template; its file has to be stored again."""


@stale_cached
def get_template(account: Account, key: int) -> Template | None:
    """Return the account's template with this mms-id in any state, unless the customer deleted it."""
    return Template.objects.filter(account=account, pk=key, deleted_at=None).first()


def save_template(template: Template, slides: Sequence[NewSlide], conclude: Conclude, now: datetime) -> None:
    """Store the template with these slides atomically.

    It is ready to send at once, unless it has audio or video to encode.
    """

    def create(files: Files) -> None:
        with creating_template(template, slides, files, conclude, now):
            pass

    with_stored_files(slides, create)


def with_stored_files(slides: Sequence[NewSlide], act: Callable[[Files], Result]) -> Result:
    """Store the files of the slides' new media, then call `act`, which creates the rows; return its result.

    Storing files first ensures that no row lacks its file. If a known medium is removed concurrently, the call is
    repeated. Files that no row refers to afterwards are removed.
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
    """Store the template with these slides in one transaction with the block.

    A template with audio or video has the status `encoding` in the block, and becomes ready after it if they are
    encoded already.
    """
    with transaction.atomic():
        media = _media_rows(slides, files)
        encoding = encodings.request(media.values(), now)
        template.status = Template.Status.ENCODING if encoding else Template.Status.READY
        template.save()
        for position, slide in enumerate(slides, 1):
            _create_slide(template, position, slide, media)
        yield
        if encoding:
            conclude(template, now)


def _media_rows(slides: Sequence[NewSlide], files: Files) -> dict[str, Medium]:
    """Return the rows of the slides' media by hash, protected from removal until the transaction ends."""
    sources = {medium.source.sha256: medium.source for slide in slides for medium in slide.media}
    known = Medium.objects.in_bulk(sources.keys() - files.keys(), field_name="sha256")
    if known.keys() | files.keys() < sources.keys():
        raise _MediumRemoved
    # In sorted order, or two requests that store the same media could deadlock.
    media = known | {sha256: _create_medium(sources[sha256], files[sha256]) for sha256 in sorted(files)}
    # All of them: another request may have stored a new medium in the meantime and deleted it again.
    if not deletion.hold_media(media.values()):
        raise _MediumRemoved
    return media


@contextmanager
def _stored_files(new: Sequence[NewMedium]) -> Iterator[Files]:
    """Store files of these media; at the end, remove those that no row refers to.

    A file has no row if the transaction failed or rolled back, or if another request stored the same bytes. Removal
    never changes the outcome: files that cannot be removed are left to mms/content/orphaned_files.py. So are all
    files if the connection was lost, because the transaction may still have been committed.
    """
    names: dict[str, str] = {}
    try:
        for medium in new:
            sha256 = medium.source.sha256
            name = f"media/{sha256[:2]}/{sha256}-{secrets.token_hex(4)}"  # names are never reused
            names[sha256] = default_storage.save(name, ContentFile(medium.data))
        yield names
    except OperationalError:
        names.clear()
        raise
    finally:
        try:
            _remove_unreferenced(names.values())
        except Exception:
            log.exception("unreferenced files could not be removed", files=list(names.values()))


def _remove_unreferenced(files: Collection[str]) -> None:
    referenced = Medium.objects.filter(file__in=files).values_list("file", flat=True)
    for file in set(files).difference(referenced):
        default_storage.delete(file)


def _create_medium(source: Source, file: str) -> Medium:
    values = asdict(source)
    values.pop("variants")  # stored as renditions once they are encoded
    values["coding"] = sorted(source.coding or ())
    medium, _ = Medium.objects.get_or_create(sha256=values.pop("sha256"), defaults={**values, "file": file})
    return medium


def _create_slide(template: Template, position: int, new: NewSlide, media: Mapping[str, Medium]) -> None:
    slide = Slide.objects.create(template=template, position=position, duration=new.duration, text=new.text)
    SlideMedium.objects.bulk_create(
        SlideMedium(slide=slide, medium=media[medium.source.sha256], source_url=medium.url) for medium in new.media
    )
    TextArea.objects.bulk_create(TextArea(slide=slide, **asdict(area)) for area in new.areas)
