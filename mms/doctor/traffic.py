"""Checks of the backlog, failed work and the ledger reconciliation."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.timesince import timesince

from billing.models import Account, Proof
from mms.doctor.finding import Check, Finding, fail, ok, warn
from mms.models import CarrierFeed, Encoding, Postback
from mms.observation import backlog, unmatched

# How long a due row may wait before it counts as late, and as stuck.
LATE, STUCK = timedelta(minutes=1), timedelta(minutes=10)
MAX_RECONCILIATION_AGE: Final = timedelta(days=2)
GIVEN_UP_WINDOW: Final = timedelta(days=1)
SERVED_BY: Final = {"postbacks": "postbacks", "low-balance-notices": "postbacks", "encodings": "media"}


def paused() -> Iterable[Finding]:
    """Check for carriers whose MMSC does not answer."""
    feeds = CarrierFeed.objects.filter(paused_until__isnull=False, carrier__enabled=True).select_related("carrier")
    for feed in feeds.order_by("carrier__name"):
        text = f"{feed.carrier}: its MMSC did not answer {feed.failures:,} submits; the next is sent after"
        remedy = "Ask the carrier. The platform tries one submit after each pause, and resumes with the first answer."
        yield fail(f"{text} {feed.paused_until:%H:%M:%S} UTC", remedy)
    if not feeds:
        yield ok("no carrier is paused")


def overdue() -> Iterable[Finding]:
    """Check how long due rows have waited for a worker. Those of a paused carrier wait for its MMSC."""
    now = timezone.now()
    waiting_for_mmsc = set(CarrierFeed.objects.exclude(paused_until=None).values_list("carrier__slug", flat=True))
    due_now = [due for due in backlog.due(now) if due.carrier not in waiting_for_mmsc]
    late = [(due, oldest) for due in due_now if (oldest := due.oldest) and now - oldest > LATE]
    for due, oldest in late:
        where = f"{due.queue} of {due.carrier}" if due.carrier else due.queue
        text = f"{where}: {_rows(due.rows)} due, the oldest for {timesince(oldest, now)}"
        queue = SERVED_BY.get(due.queue, "flow")
        remedy = f"Check the workers of the queue {queue}: are they running, are they enough, what do they log?"
        yield fail(text, remedy) if now - oldest > STUCK else warn(text, remedy)
    if not late:
        yield ok("no row has been due for more than a minute")


def _rows(count: int) -> str:
    return f"{count:,}" if count < backlog.MAX_ROWS else f"{count:,} or more"


def waiting() -> Iterable[Finding]:
    """Report rows that wait for something other than a worker."""
    found = backlog.waiting()
    if found.in_doubt:
        text = f"messages in doubt: {_rows(found.in_doubt)}; the MMSC never answered"
        yield warn(
            text, "Ask the carrier; then resolve them in the message list, by carrier and time if there are many."
        )
    for reason, reports in unmatched.likely_reasons(timezone.now()):
        yield warn(f"without a matching submit: {reason.text} ({reports} of the latest)", reason.remedy)
    yield ok(f"open discoveries: {_rows(found.discoveries)}")


def encodings() -> Iterable[Finding]:
    """Check for encodings that crash their worker."""
    unfinished = Encoding.objects.filter(due_at__isnull=False)
    retried = unfinished.filter(tries__gt=1)[: backlog.MAX_ROWS].count()
    if retried:
        text = f"{_rows(retried)} crashed their worker and are retried"
        yield warn(text, "Check the encoder logs for lack of memory, or for a medium that crashes a codec.")
    yield ok(f"{_rows(unfinished[: backlog.MAX_ROWS].count())} unfinished")


def postbacks() -> Iterable[Finding]:
    """Check for postbacks that were given up recently."""
    given_up = Postback.objects.filter(account=OuterRef("pk"), status=Postback.Status.GIVEN_UP)
    recently = given_up.filter(ended_at__gte=timezone.now() - GIVEN_UP_WINDOW)
    for account in Account.objects.filter(Exists(recently)).order_by("name"):
        text = f"some were given up in the last day: the server of {account} did not accept them"
        remedy = f'Once it works again: python manage.py replay_postbacks --account "{account}" --since ...'
        yield warn(text, remedy)
    yield ok(f"{_rows(backlog.waiting().postbacks)} due now or to be retried")


def books() -> Iterable[Finding]:
    """Check the result and the age of the last ledger reconciliation."""
    last, now = Proof.objects.order_by("pk").last(), timezone.now()
    if last is None:
        yield warn("the ledger was never reconciled", "Run: python manage.py books. Beat schedules it each night.")
    elif last.accounts:
        when = timesince(last.at, now)
        text = f"accounts whose balance differed from their ledger, {when} ago: {last.accounts}"
        yield fail(text, "Run: python manage.py books. It lists them.")
    elif now - last.at > MAX_RECONCILIATION_AGE:
        yield warn(
            f"last reconciled {timesince(last.at, now)} ago", "Run: python manage.py books; and check that beat runs."
        )
    else:
        yield ok(f"reconciled {timesince(last.at, now)} ago")


CHECKS: Final[dict[str, Check]] = {
    "paused": paused,
    "overdue": overdue,
    "waiting": waiting,
    "encodings": encodings,
    "postbacks": postbacks,
    "books": books,
}
