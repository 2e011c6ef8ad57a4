"""Files that no row came to name, because their worker died between the file and its row.

They do no harm but take up room. Files of media and renditions stand in folders by the first two digits of their
medium's hash: one folder is looked through at a time, so a pass is short however much is stored.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from django.core.files.storage import default_storage

from mms.models import DiscardedFile, Medium, Rendition

FOLDERS: Final = [f"{place}/{digits:02x}" for place in ("media", "renditions") for digits in range(256)]
# Whatever writes a file has long committed its row by then, or died.
AGE_MIN = timedelta(days=1)
SHA256 = re.compile(r"[0-9a-f]{64}")


def folder_due(now: datetime) -> str:
    """The folder whose turn it is in this hour; each comes up every three weeks."""
    return FOLDERS[int(now.timestamp()) // 3600 % len(FOLDERS)]


def discard(folder: str, now: datetime) -> int:
    """Has the files of this folder removed that are old and that no row names; returns how many they are."""
    files = list(_list_files(folder))
    orphans = [
        name for name in set(files) - _referenced(files) if default_storage.get_modified_time(name) <= now - AGE_MIN
    ]
    DiscardedFile.objects.bulk_create(DiscardedFile(file=name, due_at=now) for name in orphans)
    return len(orphans)


def _list_files(folder: str) -> Iterator[str]:
    """The files of media in the folder and in those below it."""
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (name for file in files if SHA256.search(name := f"{folder}/{file}"))
    for below in folders:
        yield from _list_files(f"{folder}/{below}")


def _referenced(files: Iterable[str]) -> set[str]:
    """Those that a row names, found by the hash in their names: that has an index."""
    hashes = {found[0] for name in files for found in SHA256.finditer(name)}
    media = Medium.objects.filter(sha256__in=hashes).values_list("file", flat=True)
    renditions = Rendition.objects.filter(medium__sha256__in=hashes).values_list("file", flat=True)
    return {*media, *renditions}
