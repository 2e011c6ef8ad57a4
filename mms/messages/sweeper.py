"""The sweeper: moves rows whose time has come, such as ended leases, deadlines, expiries and reports to match again.

Senders run it about once a second, before they claim. Its cost depends on the rows that are due, not on the backlog.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import structlog
from django.db import transaction

from base import sql
from mms.content import deletion
from mms.messages import charging, discovery, leases, report_apply, report_matching, timeline, transitions
from mms.messages.timeline import Entry
from mms.models import AWAITING_REPORT, Discovery, FirstAnswer, Message, Status
from mms.postbacks import notices
from mms.postbacks.notices import Notice
from mms.runtime.db_retry import DATABASE_GONE

log = structlog.get_logger()

BATCH = 200  # rows per transaction
LOCK_WAIT = 1.0  # seconds for a row that another transaction holds: the sender waits as well
REPORT_BATCH = 25  # reports per transaction, which locks their messages and balances as well

# The statuses in which a row waits for a step below.
WAITING_MESSAGES = (Status.ENCODING, Status.DISCOVERING, Status.SENDING, Status.SUBMITTED, Status.IN_DOUBT)
EXPIRING = (Status.SUBMITTED, Status.IN_DOUBT, Status.ENCODING)
WAITING_DISCOVERIES = (Status.SENDING, Status.SUBMITTED, Status.IN_DOUBT)


def _earliest(table: str, statuses: Sequence[Status] = (), column: str = "due_at") -> str:
    """Return SQL for the earliest time in the table, in each of the statuses: the first entry of an index each."""
    of_status = [f" AND status = '{status}'" for status in statuses] or [""]
    select = f"(SELECT {column} FROM {table} WHERE {column} IS NOT NULL{{}} ORDER BY {column} LIMIT 1)"  # noqa: S608 - constants
    return ", ".join(map(select.format, of_status))


# When the first row is due to one of the steps below, if any waits. It compares with no parameter, for which a prepared
# statement is planned as if a third of the rows were due (PostgreSQL's guess for an unknown value): it read them all.
EARLIEST_DUE = f"""
SELECT LEAST(
    {_earliest("mms_message", WAITING_MESSAGES)}, {_earliest("mms_discovery", WAITING_DISCOVERIES)},
    {_earliest("mms_report")}, {_earliest("mms_template")}, {_earliest("mms_discardedfile")},
    {_earliest("mms_firstanswer", column="created_at")} + %(kept)s
)
"""


def sweep(now: datetime) -> None:
    """Move every row whose time has come. A failing step stops neither the other steps nor the sender.

    Each step that moved rows logs their number.
    """
    if not _anything_due(now):
        return
    with sql.brief_lock_waits(LOCK_WAIT):
        for step in STEPS:
            _try(step, now)


def _try(step: Callable[[datetime], int], now: datetime) -> None:
    try:
        _run(step, now)
    except DATABASE_GONE as problem:
        if not sql.has_timed_out(problem):
            raise
        log.warning("a step of the sweep waits for a lock", step=step.__name__, problem=str(problem).strip())
    except Exception:
        log.exception("a step of the sweep failed", step=step.__name__)


def _run(step: Callable[[datetime], int], now: datetime) -> None:
    sweep = sql.repeats_outdated(step)
    swept = moved = sweep(now)
    while moved >= BATCH:
        moved = sweep(now)
        swept += moved
    if swept:
        log.info("sweep", step=step.__name__, rows=swept)


def _anything_due(now: datetime) -> bool:
    """Return whether any step has a due row. Usually none has, so one statement replaces those of all steps."""
    ((earliest,),) = sql.fetch_rows(EARLIEST_DUE, {"kept": FirstAnswer.KEPT})
    return earliest is not None and earliest <= now


def fail_expired_at_disabled_carriers(now: datetime) -> None:
    """Fail messages and discoveries that expired while their carrier was disabled or paused.

    Reads every accepted row of these carriers, so run it about once a minute.
    """
    for step in (fail_expired_messages, fail_expired_discoveries):
        _run(step, now)


def fail_expired_messages(now: datetime) -> int:
    """Fail messages that expired while their carrier was disabled or paused."""
    with transaction.atomic():
        expired = _lock_bookable(lambda held: leases.lock_expired_at_disabled_carriers(Message, now, BATCH, held))
        transitions.fail(expired, "its carrier was unavailable until it expired", now)
    return len(expired)


def fail_expired_discoveries(now: datetime) -> int:
    """Fail discoveries that expired while their carrier was disabled or paused."""
    with transaction.atomic():
        expired = leases.lock_expired_at_disabled_carriers(Discovery, now, BATCH)
        Discovery.objects.filter(pk__in=[found.pk for found in expired]).update(status=Status.FAILED, due_at=None)
    return len(expired)


def reclaim_messages(now: datetime) -> int:
    """Reclaim messages whose lease ended: their worker died."""
    with transaction.atomic():
        lost = leases.reclaim_ended(Message, now, BATCH)
        text = "the worker died after the request may have left"
        timeline.write((Entry(m, "in-doubt", text) for m, left in lost if left), now)
        timeline.write((Entry(m, "lost", "the worker died before sending") for m, left in lost if not left), now)
        failed = [message for message, _ in lost if message.status == Status.FAILED]
        transitions.fail(failed, "its workers died while preparing it", now)
    return len(lost)


def reclaim_discoveries(now: datetime) -> int:
    """Reclaim discoveries whose lease ended: their worker died."""
    with transaction.atomic():
        lost = leases.reclaim_ended(Discovery, now, BATCH)
        for found, _ in lost:
            if found.status == Status.FAILED:
                discovery.record_ddm_failed(found, "its workers died while preparing the DDM", now)
    return len(lost)


def _lock_bookable(lock: Callable[[Collection[int]], list[Message]]) -> list[Message]:
    """Lock messages by the given function, and the balances of their accounts.

    The accounts whose balances other transactions hold are left out, until a later sweep; the function gets them.
    """
    held: set[int] = set()
    while True:
        messages = lock(held)
        more = charging.lock_free_balances(messages)
        if not more:
            return messages
        held |= more


def _lock_due(status: Status, now: datetime, without: Collection[int] = ()) -> list[Message]:
    rows = Message.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
    due = rows.filter(status=status, due_at__lte=now).exclude(account__in=without).select_related("carrier", "account")
    return list(due.order_by("due_at")[:BATCH])


def end_discovery_waits(now: datetime) -> int:
    """End the wait of messages for a discovery at their deadline. They are due at once."""
    with transaction.atomic():
        waiting = _lock_due(Status.DISCOVERING, now)
        discovery.end_wait(waiting, now)
    return len(waiting)


def expire_messages(now: datetime) -> int:
    """End messages whose time is over: E102 for submitted ones, E101 for those in doubt or still encoding."""
    with transaction.atomic():
        due = _lock_bookable(lambda held: [m for status in EXPIRING for m in _lock_due(status, now, held)])
        submitted, in_doubt, encoding = ([m for m in due if m.status == status] for status in EXPIRING)
        notice = Notice("E102", notices.EXPIRED, "no delivery report before it expired")
        timeline.write((Entry(message, "expired", notice.details, notice) for message in submitted), now)
        keys = [message.pk for message in submitted]
        Message.objects.filter(pk__in=keys).update(status=Status.EXPIRED, due_at=None, final_at=now)
        charging.refund_undelivered(submitted, now)
        transitions.fail(in_doubt, "the MMSC never answered; the message may have been delivered", now)
        transitions.fail(encoding, "its audio or video was not encoded before it expired", now)
    return len(due)


def expire_discoveries(now: datetime) -> int:
    """End discoveries that no message waits for any more."""
    with transaction.atomic():
        rows = Discovery.objects.select_for_update(no_key=True, skip_locked=True)
        ended = list(rows.filter(status__in=AWAITING_REPORT, due_at__lte=now).order_by("due_at")[:BATCH])
        Discovery.objects.filter(pk__in=[d.pk for d in ended]).update(status=Status.EXPIRED, due_at=None)
    return len(ended)


def match_reports(now: datetime) -> int:
    """Try again to match due reports, on their retry schedule."""
    tried = 0
    while tried < BATCH and (batch := _match_batch(now)):
        tried += batch
    return tried


def _match_batch(now: datetime) -> int:
    with transaction.atomic():
        tried = report_matching.match_again(now, REPORT_BATCH)
        matched = [report for report in tried if report.attempt]
        report_apply.apply_matched(matched, now)
    return len(tried)


def clear_deleted_content(now: datetime) -> int:
    """Delete the content of deleted templates."""
    return deletion.clear_deleted(now, BATCH)


def remove_discarded_files(now: datetime) -> int:
    """Remove the files of deleted content."""
    return deletion.remove_files(now, BATCH)


def delete_old_first_answers(now: datetime) -> int:
    """Delete the first answers of idempotency keys that are no longer kept."""
    with transaction.atomic():
        rows = FirstAnswer.objects.select_for_update(skip_locked=True).filter(created_at__lte=now - FirstAnswer.KEPT)
        ended = list(rows.order_by("created_at").values_list("pk", flat=True)[:BATCH])
        FirstAnswer.objects.filter(pk__in=ended).delete()
    return len(ended)


STEPS = (
    reclaim_messages,
    reclaim_discoveries,
    match_reports,  # before expire_messages, so that a report that is here counts
    end_discovery_waits,
    expire_messages,
    expire_discoveries,
    clear_deleted_content,
    remove_discarded_files,
    delete_old_first_answers,
)
