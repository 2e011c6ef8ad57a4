"""File storage that survives a power failure, as the rows that name the files do."""

import os
from itertools import takewhile
from pathlib import Path
from typing import IO, Any

from django.core.files.storage import FileSystemStorage


class DurableStorage(FileSystemStorage):
    """Files on disk whose bytes and directory entries are synced before save() returns."""

    def save(self, name: str | None, content: IO[Any], max_length: int | None = None) -> str:
        """Store the bytes durably and return their name. Raises OSError."""
        saved = super().save(name, content, max_length)
        path, root = Path(self.path(saved)), Path(self.location)
        _sync(path)
        for folder in takewhile(lambda folder: folder != root.parent, path.parents):
            _sync(folder)
        return saved


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
