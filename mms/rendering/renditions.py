"""Renditions: a medium adapted by a recipe, made once however many workers want it, and shared by all messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection

from mms.adaptation import images, lettering
from mms.adaptation.plan import Recipe, Resize
from mms.models import Medium, Rendition


class StorageFailed(OSError):
    """The storage could not read or write: its disk is full, say. A file that it does not have is another matter."""


def rendition(medium: Medium, recipe: Recipe) -> Rendition:
    """The medium adapted by this recipe; made now if it does not exist yet, waited for if another makes it.

    Raises images.DoesNotFit where the recipe cannot be met, StorageFailed, and what images.resize raises.
    """
    return _existing(medium, recipe) or _made_once(medium, recipe)


def personalised(medium: Medium, image: Resize) -> images.Picture:
    """The medium adapted, with the texts of one message drawn onto it. It is nobody else's, and is not stored.

    The same message makes the same bytes again. Raises lettering.LetteringError, StorageFailed, and what
    images.resize raises.
    """
    finish = partial(lettering.lettered, areas=image.areas, size=image.source.upright)
    return images.resize(stored(medium), image.recipe, finish)


def stored(of: Medium | Rendition) -> bytes:
    """The bytes of an original or of a rendition. Raises StorageFailed, and FileNotFoundError if they are lost."""
    with _storage(), of.file.open("rb") as file:
        return bytes(file.read())


@contextmanager
def _storage() -> Iterator[None]:
    """Tells the storage's failures from those of pictures, over which Pillow raises OSError, too."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise StorageFailed(*problem.args) from problem


@dataclass(frozen=True, slots=True)
class Shelf:
    """Renditions and bytes for messages that are adapted together: each found, and its file read, once."""

    _renditions: dict[tuple[int, str], Rendition] = field(default_factory=dict)
    _bytes: dict[str, bytes] = field(default_factory=dict)

    def rendition(self, medium: Medium, recipe: Recipe) -> Rendition:
        """As rendition() does. Those that were there when the medium was read with its renditions cost no query."""
        key = medium.pk, recipe.key
        if key not in self._renditions:
            read = (made for made in medium.renditions.all() if made.recipe == recipe.key)
            self._renditions[key] = next(read, None) or rendition(medium, recipe)
        return self._renditions[key]

    def stored(self, of: Medium | Rendition) -> bytes:
        """As stored() does."""
        name = str(of.file)
        if name not in self._bytes:
            self._bytes[name] = stored(of)
        return self._bytes[name]


def _existing(medium: Medium, recipe: Recipe) -> Rendition | None:
    return Rendition.objects.filter(medium=medium, recipe=recipe.key).first()


def _made_once(medium: Medium, recipe: Recipe) -> Rendition:
    with _alone(f"rendition {medium.pk} {recipe.key}"):
        return _existing(medium, recipe) or _make(medium, recipe)


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Holds a lock of PostgreSQL's, not of a transaction: it ends with the connection if the worker dies."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


def _make(medium: Medium, recipe: Recipe) -> Rendition:
    picture = images.resize(stored(medium), recipe)
    name = f"renditions/{medium.sha256[:2]}/{medium.sha256}/{medium.pk}-{recipe.key}"
    with _storage():
        file = default_storage.save(name, ContentFile(picture.data))
    return Rendition.objects.create(
        medium=medium,
        recipe=recipe.key,
        mime_type=picture.mime_type,
        size=len(picture.data),
        width=picture.width,
        height=picture.height,
        quality=picture.quality,
        ssim=picture.ssim,
        file=file,
    )
