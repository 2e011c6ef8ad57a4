"""What waits, and for how long; what was given up; whether the books are proven."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.timesince import timesince

from billing.models import Account, Proof
from mms.doctor.finding import Check, Finding, fail, ok, warn
from mms.models import Encoding, Postback
from mms.observation import backlog

# How long something due may wait before it is told, and before it counts as standing still.
LATE, STANDING = timedelta(minutes=1), timedelta(minutes=10)
PROOF_AGE_MAX: Final = timedelta(days=2)
GIVEN_UP_WITHIN: Final = timedelta(days=1)
SERVED_BY: Final = {"postbacks": "postbacks", "low-balance-notices": "postbacks", "encodings": "media"}


def overdue() -> Iterable[Finding]:
    now = timezone.now()
    late = [(due, oldest) for due in backlog.due(now) if (oldest := due.oldest) and now - oldest > LATE]
    for due, oldest in late:
        where = f"{due.queue} of {due.carrier}" if due.carrier else due.queue
        text = f"{where}: {_rows(due.rows)} due, the oldest for {timesince(oldest, now)}"
        queue = SERVED_BY.get(due.queue, "flow")
        remedy = f"Look at the workers of the queue {queue}: are they alive, are they enough, what do they log?"
        yield fail(text, remedy) if now - oldest > STANDING else warn(text, remedy)
    if not late:
        yield ok("nothing has been due for more than a minute")


def _rows(count: int) -> str:
    return f"{count:,}" if count < backlog.MOST else f"{count:,} or more"


def waiting() -> Iterable[Finding]:
    found = backlog.waiting()
    if found.in_doubt:
        text = f"messages in doubt: {_rows(found.in_doubt)}; the MMSC never answered"
        yield warn(text, "Ask the carrier; then resolve each by the actions of the admin's list.")
    if found.unmatched_reports:
        text = f"reports that name nothing we sent: {_rows(found.unmatched_reports)}"
        yield warn(text, "Compare their MessageIDs with those of the attempts: the MMSC may change them.")
    yield ok(f"discoveries open: {_rows(found.discoveries)}")


def encodings() -> Iterable[Finding]:
    unfinished = Encoding.objects.filter(due_at__isnull=False)
    again = unfinished.filter(tries__gt=1)[: backlog.MOST].count()
    if again:
        text = f"{_rows(again)} stopped the worker that had them, and are tried again"
        yield warn(text, "Look at the log of the encoders: memory, or a medium that breaks a codec.")
    yield ok(f"{_rows(unfinished[: backlog.MOST].count())} to be done")


def postbacks() -> Iterable[Finding]:
    given_up = Postback.objects.filter(account=OuterRef("pk"), status=Postback.Status.GIVEN_UP)
    recently = given_up.filter(ended_at__gte=timezone.now() - GIVEN_UP_WITHIN)
    for account in Account.objects.filter(Exists(recently)).order_by("name"):
        text = f"some were given up in the last day: the server of {account} did not take them"
        remedy = f'When it is well again: python manage.py replay_postbacks --account "{account}" --since ...'
        yield warn(text, remedy)
    yield ok(f"{_rows(backlog.waiting().postbacks)} due now or to be tried again")


def books() -> Iterable[Finding]:
    last, now = Proof.objects.order_by("pk").last(), timezone.now()
    if last is None:
        yield warn("they were never proven", "Run: python manage.py books. Beat has it done each night.")
    elif last.accounts:
        when = timesince(last.at, now)
        text = f"accounts whose balance was not what their ledger adds up to, {when} ago: {last.accounts}"
        yield fail(text, "Run: python manage.py books. It names them.")
    elif now - last.at > PROOF_AGE_MAX:
        yield warn(f"last proven {timesince(last.at, now)} ago", "Run: python manage.py books; and see to beat.")
    else:
        yield ok(f"proven {timesince(last.at, now)} ago")


CHECKS: Final[dict[str, Check]] = {
    "overdue": overdue,
    "waiting": waiting,
    "encodings": encodings,
    "postbacks": postbacks,
    "books": books,
}
