"""Renditions: media adapted by a recipe. Each is made once, even under concurrency, and shared by all messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError, connection

from base import sql
from mms.adaptation import images, text_drawing
from mms.adaptation.plan import Recipe, Resize
from mms.models import Medium, Rendition


class StorageError(OSError):
    """The storage could not read or write, because its disk is full, for example. Not raised for missing files."""


def get_or_create_rendition(medium: Medium, recipe: Recipe) -> Rendition:
    """Return the medium adapted by this recipe: the stored rendition, or a new one.

    Waits for another worker that is making the same one. Raises StorageError, also if that takes too long, and the
    errors of images.resize, such as DoesNotFit.
    """
    return _find(medium, recipe) or _make_once(medium, recipe)


def render_personal(medium: Medium, image: Resize) -> images.AdaptedImage:
    """Return the medium adapted, with one message's text areas drawn onto it. The result is not stored.

    The same message always gives the same bytes. Raises TextDrawingError, StorageError and the errors of
    images.resize.
    """
    postprocess = partial(text_drawing.draw_areas, areas=image.areas, size=image.source.upright_size)
    return images.resize(read_file(medium), image.recipe, postprocess)


def read_file(of: Medium | Rendition) -> bytes:
    """Return the bytes of an original or a rendition. Raises StorageError, or FileNotFoundError if the file is lost."""
    with _storage_errors(), of.file.open("rb") as file:
        return bytes(file.read())


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Turn storage failures into StorageError, to separate them from the OSErrors that Pillow raises."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise StorageError(*problem.args) from problem


@dataclass(frozen=True, slots=True)
class RenditionCache:
    """Renditions and file contents shared by a batch of messages; each is read once, or fails for all of them."""

    _renditions: dict[tuple[int, str], Rendition] = field(default_factory=dict)
    _bytes: dict[str, bytes] = field(default_factory=dict)
    _failed: dict[tuple[int, str], StorageError] = field(default_factory=dict)

    def get_or_create_rendition(self, medium: Medium, recipe: Recipe) -> Rendition:
        """Return the rendition, without a query if it was prefetched with the medium."""
        key = medium.pk, recipe.key
        if key in self._failed:
            raise self._failed[key]
        if key not in self._renditions:
            prefetched = (row for row in medium.renditions.all() if row.recipe == recipe.key)
            self._renditions[key] = next(prefetched, None) or self._get_or_create(medium, recipe)
        return self._renditions[key]

    def _get_or_create(self, medium: Medium, recipe: Recipe) -> Rendition:
        try:
            return get_or_create_rendition(medium, recipe)
        except StorageError as problem:
            self._failed[medium.pk, recipe.key] = problem
            raise

    def read_file(self, of: Medium | Rendition) -> bytes:
        """Return the bytes of the file."""
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
    """Hold a session-level advisory lock of PostgreSQL, which the server releases if the worker dies."""
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        except OperationalError as problem:
            if sql.has_timed_out(problem):
                raise StorageError(f"another worker is still making the {name}") from problem
            raise
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
