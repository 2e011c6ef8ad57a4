"""Removal of orphaned files: files without a row, left by workers that died between writing the two.

They only waste space. Files of media and renditions are stored in folders by the first two digits of the medium's
hash. Each run searches one folder, so it is short however much is stored.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from django.core.files.storage import default_storage

from mms.models import DiscardedFile, Medium, Rendition

FOLDERS: Final = [f"{place}/{digits:02x}" for place in ("media", "renditions") for digits in range(256)]
# Every writer has committed its row or died by then.
AGE_MIN = timedelta(days=1)
SHA256 = re.compile(r"[0-9a-f]{64}")


def folder_due(now: datetime) -> str:
    """Return the folder to search in this hour; each is searched every three weeks."""
    return FOLDERS[int(now.timestamp()) // 3600 % len(FOLDERS)]


def discard(folder: str, now: datetime) -> int:
    """Schedule the removal of the folder's orphaned files; return their number."""
    files = list(_list_files(folder))
    orphaned = [
        name for name in set(files) - _referenced(files) if default_storage.get_modified_time(name) <= now - AGE_MIN
    ]
    DiscardedFile.objects.bulk_create(DiscardedFile(file=name, due_at=now) for name in orphaned)
    return len(orphaned)


def _list_files(folder: str) -> Iterator[str]:
    """Yield the media files in the folder and its subfolders."""
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (name for file in files if SHA256.search(name := f"{folder}/{file}"))
    for subfolder in folders:
        yield from _list_files(f"{folder}/{subfolder}")


def _referenced(files: Iterable[str]) -> set[str]:
    """Return the files that a row refers to, found by the hash in their names, which is indexed."""
    hashes = {found[0] for name in files for found in SHA256.finditer(name)}
    media = Medium.objects.filter(sha256__in=hashes).values_list("file", flat=True)
    renditions = Rendition.objects.filter(medium__sha256__in=hashes).values_list("file", flat=True)
    return {*media, *renditions}
