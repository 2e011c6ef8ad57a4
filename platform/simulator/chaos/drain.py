"""After the faults: the backlog drains, or the run has failed."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.utils import timezone

from mms.models import Discovery, Message, Postback, Report, Status
from simulator.chaos.stage import Stage

# Seconds that it may take: what a killed worker held comes back after two minutes, and a busy machine is slow.
PATIENCE, PATIENCE_EACH = 240.0, 0.06
LOOK = 1.0  # seconds
TELL = 10.0
# So many looks in a row must find nothing to do and nothing new: what the MMSC says late may be under way.
STILL = 5
# What is due later than this waits for its next try; a lease ends sooner.
SOON = timedelta(minutes=2, seconds=30)
UNDER_WAY = (Status.ENCODING, Status.ACCEPTED, Status.DISCOVERING, Status.SENDING)


def patience(messages: int) -> float:
    """Seconds in which a backlog of so many messages must have drained."""
    return PATIENCE + PATIENCE_EACH * messages


def drain(stage: Stage, expiry: datetime, seconds: float, tell: Callable[[str], None]) -> float | None:
    """Waits until nothing is left to do; the seconds that it took, or None if more than `seconds`.

    `expiry` is that of the messages that expire. What waits for a further try does not wait here: the run brings it
    forward, and lets the MMSC report what it holds back.
    """
    stage.reconnect()
    start = idle_since = time.monotonic()
    looks, size, tell_at = 0, 0, start
    while looks < STILL:
        if time.monotonic() - start > seconds:
            return None
        stage.processes.check_alive()
        hurry(timezone.now())
        stage.tell("/control/release")
        size, before = stage.log.stat().st_size, size
        left = backlog(expiry)
        if left and time.monotonic() >= tell_at:
            tell(left)
            tell_at += TELL
        if left or size != before:
            looks, idle_since = 0, time.monotonic()
        else:
            looks += 1
        time.sleep(LOOK)
    return idle_since - start


def hurry(now: datetime) -> None:
    """Brings forward whatever waits for its next try: submits, postbacks, reports without a match."""
    Message.objects.filter(status=Status.ACCEPTED, due_at__gt=now).update(due_at=now)
    Discovery.objects.filter(status=Status.ACCEPTED, due_at__gt=now).update(due_at=now)
    Postback.objects.filter(status=Postback.Status.PENDING, tries__gt=0, due_at__gt=now + SOON).update(due_at=now)
    Report.objects.filter(due_at__gt=now).update(due_at=now)


def backlog(expiry: datetime) -> str:
    """What is still to be done, in words; empty if nothing is."""
    expiring = Message.objects.filter(due_at__lte=expiry)
    counts = {
        "messages under way": Message.objects.filter(status__in=UNDER_WAY).count(),
        "messages to expire": expiring.exclude(status__in=UNDER_WAY).count(),
        "DDMs": Discovery.objects.filter(status__in=UNDER_WAY).count(),
        "postbacks": Postback.objects.filter(status=Postback.Status.PENDING).count(),
        "reports to match": Report.objects.filter(due_at__isnull=False).count(),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)
