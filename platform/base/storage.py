"""Files that outlive a power failure, as the rows that name them do."""

import os
from itertools import takewhile
from pathlib import Path
from typing import IO, Any

from django.core.files.storage import FileSystemStorage


class DurableStorage(FileSystemStorage):
    """Files on disk, whose bytes and names are there for good once they are saved."""

    def save(self, name: str | None, content: IO[Any], max_length: int | None = None) -> str:
        """The name under which the bytes are stored. Raises OSError."""
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
