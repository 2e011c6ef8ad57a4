"""Drain of the backlog after the faults; a run fails if it does not drain in time."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from mms.messages.attempts import RETRY_SCHEDULE
from mms.models import Discovery, Message, Postback, Report, Status
from simulator.chaos.environment import Environment

# Seconds allowed: the leases of a killed worker expire after two minutes, and a busy machine is slow.
BASE_TIMEOUT, TIMEOUT_PER_MESSAGE = 240.0, 0.06
POLL_INTERVAL = 1.0  # seconds
PROGRESS_INTERVAL = 10.0  # seconds
# The backlog has drained after this number of consecutive polls without work or log entries: late reports may follow.
IDLE_POLLS = 5
# A postback due later than this waits for a retry; a lease ends earlier.
RETRY_THRESHOLD = timedelta(minutes=2, seconds=30)
# Messages that are tried again every two hours until they expire, days after the run.
PATIENT = Q(status=Status.ACCEPTED, refusals__gt=len(RETRY_SCHEDULE))
UNFINISHED = (Status.ENCODING, Status.ACCEPTED, Status.DISCOVERING, Status.SENDING)


def drain_timeout(messages: int) -> float:
    """Return the seconds within which the backlog of this number of messages must drain."""
    return BASE_TIMEOUT + TIMEOUT_PER_MESSAGE * messages


def drain(environment: Environment, expiry: datetime, seconds: float, report: Callable[[str], None]) -> float | None:
    """Wait until the backlog has drained and return the duration in seconds, or None after `seconds`.

    `expiry` is when the requests that have an expiry end, including the grace for their reports. To save time, retries
    are moved to now, and the MMSC releases its held reports. `report` receives a progress message from time to time.
    """
    environment.close_connections()
    start = idle_since = time.monotonic()
    idle_polls, size, report_at = 0, 0, start
    while idle_polls < IDLE_POLLS:
        if time.monotonic() - start > seconds:
            return None
        environment.processes.check_alive()
        advance_retries(timezone.now())
        environment.control_simulator("/control/release")
        size, before = environment.log.stat().st_size, size
        backlog = describe_backlog(expiry)
        if backlog and time.monotonic() >= report_at:
            report(backlog)
            report_at += PROGRESS_INTERVAL
        if backlog or size != before:
            idle_polls, idle_since = 0, time.monotonic()
        else:
            idle_polls += 1
        time.sleep(POLL_INTERVAL)
    return idle_since - start


def advance_retries(now: datetime) -> None:
    """Make all retries due now: submits, postbacks and the matching of reports."""
    Message.objects.filter(status=Status.ACCEPTED, due_at__gt=now).exclude(PATIENT).update(due_at=now)
    Discovery.objects.filter(status=Status.ACCEPTED, due_at__gt=now).update(due_at=now)
    Postback.objects.filter(status=Postback.Status.PENDING, tries__gt=0, due_at__gt=now + RETRY_THRESHOLD).update(
        due_at=now
    )
    Report.objects.filter(due_at__gt=now).update(due_at=now)


def describe_backlog(expiry: datetime) -> str:
    """Return a description of the remaining work, empty if there is none."""
    expiring = Message.objects.filter(due_at__lte=expiry)
    counts = {
        "unfinished messages": Message.objects.filter(status__in=UNFINISHED).exclude(PATIENT).count(),
        "messages to expire": expiring.exclude(status__in=UNFINISHED).count(),
        "DDMs": Discovery.objects.filter(status__in=UNFINISHED).count(),
        "postbacks": Postback.objects.filter(status=Postback.Status.PENDING).count(),
        "reports to match": Report.objects.filter(due_at__isnull=False).count(),
    }
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)
