"""Requests for the encoding of audio and video: one row per medium, claimed by the workers of mms/encoding."""

from collections.abc import Iterable
from datetime import datetime

from mms.models import Encoding, Medium

ENCODED_KINDS = (Medium.Kind.AUDIO, Medium.Kind.VIDEO)


def request(media: Iterable[Medium], now: datetime) -> bool:
    """Request the encoding of the audio and video among the media. Return whether there are any.

    Completed encodings are not repeated, failed ones are retried. The rows stay locked until the caller's transaction
    ends, so that no encoding ends before the template that waits for it is committed.
    """
    keys = sorted(medium.pk for medium in media if medium.kind in ENCODED_KINDS)
    Encoding.objects.bulk_create((Encoding(medium_id=key, due_at=now) for key in keys), ignore_conflicts=True)
    locked = Encoding.objects.select_for_update(no_key=True).filter(medium__in=keys).order_by("medium")
    failed = [encoding.pk for encoding in locked if encoding.status == Encoding.Status.FAILED]
    Encoding.objects.filter(pk__in=failed).update(status=Encoding.Status.DUE, due_at=now, tries=0, problem="")
    return bool(keys)
