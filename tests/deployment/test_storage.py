"""Files are synced to disk before their rows are written."""

import os
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pytest_django import Settings


def test_save_syncs_file_and_parent_folders(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MEDIA_ROOT = tmp_path
    synced: dict[str, int] = {}
    sync = os.fsync

    def watched(opened: int) -> None:
        synced[str(Path(f"/proc/self/fd/{opened}").readlink())] = os.fstat(opened).st_size
        sync(opened)

    monkeypatch.setattr(os, "fsync", watched)
    name = default_storage.save("media/ab/photograph", ContentFile(b"x" * 100_000))
    assert synced.pop(str(tmp_path / name)) == 100_000
    assert set(synced) == {str(tmp_path), str(tmp_path / "media"), str(tmp_path / "media/ab")}
    assert (tmp_path / name).read_bytes() == b"x" * 100_000
