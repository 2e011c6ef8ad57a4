"""Orphaned files: the worker that stored them died before it wrote their row."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from mms.content import deletion, orphaned_files
from mms.models import Medium, Rendition

NOW = datetime.now(UTC)
HASH = "ab" * 32


@pytest.fixture
def stored(db: None, tmp_path: Path, settings: SimpleNamespace) -> dict[str, str]:
    """Store files of every kind, the old ones two days ago. Return their names by kind."""
    settings.MEDIA_ROOT = tmp_path
    names = {
        "medium": f"media/ab/{HASH}-1",
        "rendition": f"renditions/ab/{HASH}/1-recipe",
        "old medium": f"media/ab/{HASH}-2",
        "old rendition": f"renditions/ab/{HASH}/1-recipe_x",
        "old, of no medium": f"media/ab/{'ac' * 32}-1",
        "young": f"media/ab/{HASH}-3",
        "elsewhere": f"media/ac/{HASH}-1",
        "not ours": "media/ab/README",
    }
    for kind, name in names.items():
        default_storage.save(name, ContentFile(b"x"))
        written = (NOW - timedelta(hours=23 if kind == "young" else 48)).timestamp()
        os.utime(tmp_path / name, (written, written))
    medium = Medium.objects.create(
        sha256=HASH, kind="image", mime_type="image/jpeg", size=1, width=1, height=1, file=names["medium"]
    )
    Rendition.objects.create(
        medium=medium, recipe="recipe", mime_type="image/jpeg", size=1, width=1, height=1, file=names["rendition"]
    )
    return names


def test_only_old_files_without_a_row_are_removed(stored: dict[str, str]) -> None:
    assert [orphaned_files.discard(folder, NOW) for folder in ("media/ab", "renditions/ab", "media/00")] == [2, 1, 0]
    deletion.remove_files(NOW, limit=100)
    left = [kind for kind, name in stored.items() if default_storage.exists(name)]
    assert left == ["medium", "rendition", "young", "elsewhere", "not ours"]


def test_every_folder_is_checked_in_turn() -> None:
    folders = {orphaned_files.folder_due(NOW + timedelta(hours=hour)) for hour in range(len(orphaned_files.FOLDERS))}
    assert folders == {*orphaned_files.FOLDERS}
