"""Deletion of content: rows first, files after the commit.

A deleted template keeps its row for the messages that were sent from it. Its slides are removed once none of its
messages is unfinished, with them the media that no other template uses, their renditions and finally the files.
A transaction that is about to use a template or a medium locks its row, and deletion waits for it. A template made by
sendMMS, which has a `due_at` without being deleted, is deleted some days after its last message ended.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

import structlog
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Q

from base import sql
from mms.models import DiscardedFile, Encoding, Medium, Message, Rendition, Slide, SlideMedium, Template

log = structlog.get_logger()

# Delay before another try, for content that unfinished messages need and for files that could not be removed.
RETRY_DELAY = timedelta(minutes=1)
# How long a template made by sendMMS is kept after its last message ended: long enough to answer questions about the
# message and to send it again. Customers who mean to keep content store it with saveMMS.
KEPT_AFTER_LAST_MESSAGE = timedelta(days=7)
RECHECK_DELAY = timedelta(days=1)


# Shared locks, so accepting transactions do not block each other. Foreign keys do not suffice: they are checked at
# the commit.
LOCK_USABLE = "SELECT id FROM mms_template WHERE id = ANY(%s) AND deleted_at IS NULL FOR KEY SHARE"
HOLD_MEDIA = "SELECT id FROM mms_medium WHERE id = ANY(%s) FOR KEY SHARE"


def lock_usable(templates: Collection[int]) -> Callable[[], set[int]]:
    """Lock the templates that are not deleted, until the caller's transaction ends; return a function for their IDs."""
    found = sql.execute(LOCK_USABLE, [list(templates)])
    return lambda: {key for (key,) in found()}


def hold_media(media: Collection[Medium]) -> bool:
    """Keep the media from removal until the transaction ends; return whether all of them still existed."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD_MEDIA, [[medium.pk for medium in media]])
        return len(cursor.fetchall()) == len(media)


@sql.repeats_outdated
def delete_template(template: Template, now: datetime) -> bool:
    """Delete the template, and its content unless unfinished messages still need it.

    Return whether it existed. Waits for transactions that are accepting messages from it.
    """
    with transaction.atomic():
        found = Template.objects.select_for_update().filter(pk=template.pk, deleted_at=None).first()
        if found is None:
            return False
        Template.objects.filter(pk=template.pk).update(deleted_at=now)
        _clear(template.pk, now)
    return True


def clear_deleted(now: datetime, limit: int) -> int:
    """Remove the content of deleted and of old templates that is not needed any more; return how many were checked."""
    checked = 0
    while checked < limit and _clear_next_due(now):
        checked += 1
    return checked


def _clear_next_due(now: datetime) -> bool:
    # One per transaction: two sweeps with several each could deadlock on shared media.
    with transaction.atomic():
        due = Template.objects.select_for_update(skip_locked=True).filter(due_at__lte=now)
        template = due.order_by("due_at").first()
        if template is None:
            return False
        if template.deleted_at is None and _is_in_use(template, now):
            Template.objects.filter(pk=template.pk).update(due_at=now + RECHECK_DELAY)
        else:
            Template.objects.filter(pk=template.pk).update(deleted_at=template.deleted_at or now)
            _clear(template.pk, now)
    return True


def _is_in_use(template: Template, now: datetime) -> bool:
    """Return whether a message of the template is unfinished, or has ended only recently."""
    unfinished_or_recent = Q(due_at__isnull=False) | Q(final_at__gt=now - KEPT_AFTER_LAST_MESSAGE)
    return Message.objects.filter(unfinished_or_recent, template=template).exists()


def _clear(template: int, now: datetime) -> None:
    """Remove the template's content, or postpone it. The caller holds the lock on the template's row."""
    row = Template.objects.filter(pk=template)
    media = set(SlideMedium.objects.filter(slide__template=template).values_list("medium", flat=True))
    if Message.objects.filter(template=template, due_at__isnull=False).exists() or not _lock_media(media):
        row.update(due_at=now + RETRY_DELAY)
        return
    Slide.objects.filter(template=template).delete()
    row.update(due_at=None)
    _remove_unused(media, now)


def _lock_media(media: Collection[int]) -> bool:
    """Lock the media, because a slide may be about to use them, and their encodings; return whether all were free.

    Does not wait: a worker that ends an encoding holds its row while it waits for the templates that use the medium.
    """
    encodings = Encoding.objects.filter(medium__in=media)
    locked = Medium.objects.select_for_update(skip_locked=True).filter(pk__in=media)
    return len(locked) == len(media) and len(encodings.select_for_update(skip_locked=True)) == encodings.count()


def _remove_unused(media: Collection[int], now: datetime) -> None:
    """Remove the media that no slide uses, with their encodings. The caller holds the locks on the media's rows."""
    unused = list(Medium.objects.filter(pk__in=media, slidemedium=None).prefetch_related("renditions"))
    originals = [str(medium.file) for medium in unused]
    renditions = [str(rendition.file) for medium in unused for rendition in medium.renditions.all()]
    Rendition.objects.filter(medium__in=unused).delete()
    Medium.objects.filter(pk__in=[medium.pk for medium in unused]).delete()
    DiscardedFile.objects.bulk_create(DiscardedFile(file=name, due_at=now) for name in originals + renditions)


def remove_files(now: datetime, limit: int) -> int:
    """Remove discarded files that are due; return how many were tried.

    No lock is held: removing a file twice is harmless, because names are never reused.
    """
    due = list(DiscardedFile.objects.filter(due_at__lte=now).order_by("due_at")[:limit])
    removed = [discarded.pk for discarded in due if _remove_file(discarded)]
    DiscardedFile.objects.filter(pk__in=removed).delete()
    _postpone((discarded for discarded in due if discarded.pk not in removed), now)
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
