"""A rendition that many threads request is made once, even if the process that makes it is killed."""

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
MAKER_SCRIPT = f"""
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
        sha256=found.sha256,
        kind="image",
        mime_type="image/jpeg",
        size=found.size,
        width=4000,
        height=3000,
        file=file,
        coding=[],
    )


@contextmanager
def concurrent_requests(photo: Medium) -> Iterator[list["Future[int]"]]:
    """Start threads that request the rendition concurrently; each returns the key of its rendition."""
    barrier = threading.Barrier(THREADS)

    def get() -> int:
        barrier.wait(timeout=30)
        try:
            return renditions.get_or_create_rendition(photo, RECIPE).pk
        finally:
            connection.close()

    pool = ThreadPoolExecutor(THREADS)
    yield [pool.submit(get) for _ in range(THREADS)]
    pool.shutdown()  # not after a failure: the threads might wait forever


@contextmanager
def maker_process() -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process that makes the rendition; kill it at the end at the latest."""
    with subprocess.Popen([sys.executable, "-c", MAKER_SCRIPT], env=environment(), cwd=ROOT) as maker:
        try:
            yield maker
        finally:
            maker.kill()


def check_made_once(photo: Medium, got: list["Future[int]"]) -> None:
    """Check that there is one row and one file: a second run would have left another file."""
    rendition = Rendition.objects.get()
    assert {future.result() for future in got} == {rendition.pk}
    path = Path(rendition.file.path)
    assert [*path.parent.iterdir()] == [path]
    path.unlink()


def waiting() -> int:
    """Return how many connections wait for the maker."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return int(cursor.fetchone()[0])


def test_concurrently_requested_rendition_is_made_once(photo: Medium) -> None:
    with concurrent_requests(photo) as got:
        pass
    check_made_once(photo, got)


def test_killed_rendition_maker_blocks_nobody(photo: Medium) -> None:
    with StuckFile(Path(photo.file.path)) as file, maker_process() as maker:
        eventually(file.is_read)
        with concurrent_requests(photo) as got:
            eventually(lambda: waiting() == THREADS)
            assert not Rendition.objects.exists()
            file.repair()
            maker.kill()
    check_made_once(photo, got)
