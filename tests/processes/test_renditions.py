"""A rendition that many want at the same moment is made once, whatever becomes of the process that makes it."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.db import connection

from mms.adaptation import images
from mms.adaptation.plan import Recipe
from mms.models import Medium, Rendition
from mms.rendering import renditions
from tests.processes.platform_under_test import ROOT, StuckFile, environment, eventually
from tests.wire import photograph

pytestmark = pytest.mark.usefixtures("transactional_db", "django_db_serialized_rollback")

THREADS = 8
RECIPE = Recipe(640, 480, 100_000, "image/jpeg")
MAKE_IT = f"""
import django; django.setup()
from mms.rendering import renditions
from mms.adaptation.plan import Recipe
from mms.models import Medium
renditions.get_or_create_rendition(Medium.objects.get(), {RECIPE})
"""


@pytest.fixture
def photo() -> Medium:
    """A photograph of 12 megapixels."""
    data = photograph(4000, 3000)
    found = images.inspect(data)
    file = ContentFile(data, name=found.sha256)
    return Medium.objects.create(
        sha256=found.sha256, kind="image", mime_type="image/jpeg", size=found.size, width=4000, height=3000, file=file
    )


@contextmanager
def wanted_by_many(photo: Medium) -> Iterator[list["Future[int]"]]:
    """Threads, each with a connection of its own, that want it at once; each gives the key of what it got."""
    together = threading.Barrier(THREADS)

    def get() -> int:
        together.wait(timeout=30)
        try:
            return renditions.get_or_create_rendition(photo, RECIPE).pk
        finally:
            connection.close()

    pool = ThreadPoolExecutor(THREADS)
    yield [pool.submit(get) for _ in range(THREADS)]
    pool.shutdown()  # not where the test has failed already: what they wait for may never come


@contextmanager
def making_it() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that makes it; killed at the end, if not before."""
    with subprocess.Popen([sys.executable, "-c", MAKE_IT], env=environment(), cwd=ROOT) as maker:
        try:
            yield maker
        finally:
            maker.kill()


def check_made_once(photo: Medium, got: list["Future[int]"]) -> None:
    """One row for all, and one file: a picture that was made twice would leave a second."""
    rendition = Rendition.objects.get()
    assert {future.result() for future in got} == {rendition.pk}
    path = Path(rendition.file.path)
    assert [*path.parent.iterdir()] == [path]
    path.unlink()


def waiting() -> int:
    """How many connections wait for the maker to end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return int(cursor.fetchone()[0])


def test_a_rendition_that_many_want_at_once_is_made_once(photo: Medium) -> None:
    with wanted_by_many(photo) as got:
        pass
    check_made_once(photo, got)


def test_a_process_that_is_killed_while_it_makes_a_rendition_blocks_nobody(photo: Medium) -> None:
    with StuckFile(Path(photo.file.path)) as file, making_it() as maker:
        eventually(file.is_read)
        with wanted_by_many(photo) as got:
            eventually(lambda: waiting() == THREADS)
            assert not Rendition.objects.exists()
            file.mend()
            maker.kill()
    check_made_once(photo, got)
