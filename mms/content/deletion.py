"""Removing content: rows first, files after the commit.

A template that its customer deleted keeps its row, for the messages that were sent of it. Its slides go as soon as
none of its messages is on its way any more, and with them the media that no other template shows, their renditions
and, last of all, the files. Whoever is about to use a template or a medium holds its row, and a removal waits for it.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

import structlog
from django.core.files.storage import default_storage
from django.db import connection, transaction

from base import sql
from mms.models import DiscardedFile, Encoding, Medium, Message, Rendition, Slide, SlideMedium, Template

log = structlog.get_logger()

# When content that messages on their way still need is looked at again, and a file that could not be removed.
RETRY_DELAY = timedelta(minutes=1)


# Any number of transactions may hold a row so at once. A foreign key alone would not do: it is checked at the commit.
LOCK_USABLE = "SELECT id FROM mms_template WHERE id = ANY(%s) AND deleted_at IS NULL FOR KEY SHARE"
HOLD_MEDIA = "SELECT id FROM mms_medium WHERE id = ANY(%s) FOR KEY SHARE"


def lock_usable(templates: Collection[int]) -> Callable[[], set[int]]:
    """Those of which messages may be accepted. The caller's transaction holds them from here on."""
    found = sql.execute(LOCK_USABLE, [list(templates)])
    return lambda: {key for (key,) in found()}


def hold_media(media: Collection[Medium]) -> bool:
    """Keeps these media from being removed until the transaction ends; whether all of them were still there."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD_MEDIA, [[medium.pk for medium in media]])
        return len(cursor.fetchall()) == len(media)


def delete_template(template: Template, now: datetime) -> bool:
    """Deletes the template for its customer, and its content unless messages on their way still need it.

    Returns whether it was still there to delete. Waits for those that are accepting messages of it right now.
    """
    with transaction.atomic():
        found = Template.objects.select_for_update().filter(pk=template.pk, deleted_at=None).first()
        if found is None:
            return False
        Template.objects.filter(pk=template.pk).update(deleted_at=now)
        _clear(template.pk, now)
    return True


def clear_deleted(now: datetime, limit: int) -> int:
    """Removes the content of deleted templates that nobody needs any more; returns how many it looked at."""
    looked = 0
    while looked < limit and _clear_next_due(now):
        looked += 1
    return looked


def _clear_next_due(now: datetime) -> bool:
    # One a transaction: two sweeps that each held several could wait for each other's media.
    with transaction.atomic():
        due = Template.objects.select_for_update(skip_locked=True).filter(due_at__lte=now, deleted_at__isnull=False)
        template = due.order_by("due_at").first()
        if template:
            _clear(template.pk, now)
    return template is not None


def _clear(template: int, now: datetime) -> None:
    """The caller holds the template's row."""
    row = Template.objects.filter(pk=template)
    media = set(SlideMedium.objects.filter(slide__template=template).values_list("medium", flat=True))
    if Message.objects.filter(template=template, due_at__isnull=False).exists() or not _lock_media(media):
        row.update(due_at=now + RETRY_DELAY)
        return
    Slide.objects.filter(template=template).delete()
    row.update(due_at=None)
    _remove_unused(media, now)


def _lock_media(media: Collection[int]) -> bool:
    """Locks the media, for a slide may be on its way, and their encodings; whether all of them could be had at once.

    None is waited for: whoever ends an encoding holds it and waits for the templates that show its medium.
    """
    encodings = Encoding.objects.filter(medium__in=media)
    locked = Medium.objects.select_for_update(skip_locked=True).filter(pk__in=media)
    return len(locked) == len(media) and len(encodings.select_for_update(skip_locked=True)) == encodings.count()


def _remove_unused(media: Collection[int], now: datetime) -> None:
    """Removes those of the media that no slide shows, and ends their encodings. The caller holds the media's rows."""
    unused = list(Medium.objects.filter(pk__in=media, slidemedium=None).prefetch_related("renditions"))
    originals = [str(medium.file) for medium in unused]
    renditions = [str(made.file) for medium in unused for made in medium.renditions.all()]
    Rendition.objects.filter(medium__in=unused).delete()
    Medium.objects.filter(pk__in=[medium.pk for medium in unused]).delete()
    DiscardedFile.objects.bulk_create(DiscardedFile(file=name, due_at=now) for name in originals + renditions)


def remove_files(now: datetime, limit: int) -> int:
    """Removes files that no row names; returns how many it tried. No lock is held meanwhile: to remove one twice

    does no harm, because no name is ever used again.
    """
    due = list(DiscardedFile.objects.filter(due_at__lte=now).order_by("due_at")[:limit])
    gone = [discarded.pk for discarded in due if _remove_file(discarded)]
    DiscardedFile.objects.filter(pk__in=gone).delete()
    _postpone((discarded for discarded in due if discarded.pk not in gone), now)
    return len(due)


def _remove_file(discarded: DiscardedFile) -> bool:
    try:
        default_storage.delete(discarded.file)
    except OSError as problem:
        log.warning("a file could not be removed", file=discarded.file, problem=str(problem))
        return False
    return True


def _postpone(files: Iterable[DiscardedFile], now: datetime) -> None:
    keys = [discarded.pk for discarded in files]
    DiscardedFile.objects.filter(pk__in=keys).update(due_at=now + RETRY_DELAY)
