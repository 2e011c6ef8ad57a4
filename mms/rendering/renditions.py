"""Renditions: a medium adapted by a recipe, made once however many workers want it, and shared by all messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection

from mms.adaptation import images, text_drawing
from mms.adaptation.plan import Recipe, Resize
from mms.models import Medium, Rendition


class StorageError(OSError):
    """The storage could not read or write: its disk is full, say. A file that it does not have is another matter."""


def get_or_create_rendition(medium: Medium, recipe: Recipe) -> Rendition:
    """The medium adapted by this recipe; made now if it does not exist yet, waited for if another makes it.

    Raises images.DoesNotFit where the recipe cannot be met, StorageFailed, and what images.resize raises.
    """
    return _find(medium, recipe) or _make_once(medium, recipe)


def render_personalised(medium: Medium, image: Resize) -> images.AdaptedImage:
    """The medium adapted, with the texts of one message drawn onto it. It is nobody else's, and is not stored.

    The same message makes the same bytes again. Raises text_drawing.LetteringError, StorageFailed, and what
    images.resize raises.
    """
    finish = partial(text_drawing.draw_areas, areas=image.areas, size=image.source.upright_size)
    return images.resize(read_file(medium), image.recipe, finish)


def read_file(of: Medium | Rendition) -> bytes:
    """The bytes of an original or of a rendition. Raises StorageFailed, and FileNotFoundError if they are lost."""
    with _storage_errors(), of.file.open("rb") as file:
        return bytes(file.read())


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Tells the storage's failures from those of pictures, over which Pillow raises OSError, too."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise StorageError(*problem.args) from problem


@dataclass(frozen=True, slots=True)
class RenditionCache:
    """Renditions and bytes for messages that are adapted together: each found, and its file read, once."""

    _renditions: dict[tuple[int, str], Rendition] = field(default_factory=dict)
    _bytes: dict[str, bytes] = field(default_factory=dict)

    def get_or_create_rendition(self, medium: Medium, recipe: Recipe) -> Rendition:
        """As rendition() does. Those that were there when the medium was read with its renditions cost no query."""
        key = medium.pk, recipe.key
        if key not in self._renditions:
            read = (made for made in medium.renditions.all() if made.recipe == recipe.key)
            self._renditions[key] = next(read, None) or get_or_create_rendition(medium, recipe)
        return self._renditions[key]

    def read_file(self, of: Medium | Rendition) -> bytes:
        """As stored() does."""
        name = str(of.file)
        if name not in self._bytes:
            self._bytes[name] = read_file(of)
        return self._bytes[name]


def _find(medium: Medium, recipe: Recipe) -> Rendition | None:
    return Rendition.objects.filter(medium=medium, recipe=recipe.key).first()


def _make_once(medium: Medium, recipe: Recipe) -> Rendition:
    with _advisory_lock(f"rendition {medium.pk} {recipe.key}"):
        return _find(medium, recipe) or _make(medium, recipe)


@contextmanager
def _advisory_lock(name: str) -> Iterator[None]:
    """Holds a lock of PostgreSQL's, not of a transaction: it ends with the connection if the worker dies."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


def _make(medium: Medium, recipe: Recipe) -> Rendition:
    picture = images.resize(read_file(medium), recipe)
    name = f"renditions/{medium.sha256[:2]}/{medium.sha256}/{medium.pk}-{recipe.key}"
    with _storage_errors():
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
