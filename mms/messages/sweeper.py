"""What time brings: leases that end, deadlines, expiries, reports to match again, content to remove.

Each pass costs what is due.
"""

from datetime import datetime

import structlog
from django.db import transaction

from base import sql
from mms.content import deletion
from mms.messages import charging, discovery, leases, report_matching, timeline, transitions
from mms.messages.timeline import Entry
from mms.models import AWAITING_REPORT, Discovery, FirstAnswer, Message, Status
from mms.postbacks import notices
from mms.postbacks.notices import Notice
from mms.runtime.db_retry import DATABASE_GONE

log = structlog.get_logger()

# Rows that one pass takes at a time.
BATCH = 200
MATCHED = 25  # reports of one transaction, which hold their messages and balances

# As the steps below find it, by the same indexes.
ANYTHING_DUE = """
SELECT EXISTS (SELECT FROM mms_message WHERE due_at <= %(now)s
               AND status IN ('encoding', 'discovering', 'sending', 'submitted', 'in_doubt'))
    OR EXISTS (SELECT FROM mms_discovery WHERE due_at <= %(now)s AND status IN ('sending', 'submitted', 'in_doubt'))
    OR EXISTS (SELECT FROM mms_report WHERE due_at <= %(now)s)
    OR EXISTS (SELECT FROM mms_template WHERE due_at <= %(now)s)
    OR EXISTS (SELECT FROM mms_discardedfile WHERE due_at <= %(now)s)
    OR EXISTS (SELECT FROM mms_firstanswer WHERE created_at <= %(oldest_answer)s)
"""


def wake(now: datetime) -> None:
    """Everything whose time has come: leases, deadlines, expiries, reports to match again, content to remove.

    What one step cannot do holds up neither the others nor the sending that follows.
    """
    if not _anything_due(now):
        return
    for step in STEPS:
        try:
            while step(now) == BATCH:
                pass
        except DATABASE_GONE:
            raise
        except Exception:
            log.exception("a step of the sweep failed", step=step.__name__)


def _anything_due(now: datetime) -> bool:
    """Whether any of the steps has something to do. Mostly none has: one statement tells in place of nine steps'."""
    ((due,),) = sql.rows(ANYTHING_DUE, {"now": now, "oldest_answer": now - FirstAnswer.KEPT})
    return bool(due)


def end_held(now: datetime) -> None:
    """Ends what expired while its carrier was switched off. Costs what such carriers hold: once a minute is enough."""
    for step in (_held_over, _held_ddms_over):
        while step(now) == BATCH:
            pass


def _held_over(now: datetime) -> int:
    with transaction.atomic():
        over = leases.held(Message, now, BATCH)
        transitions.fail(over, "its carrier was not available before it expired", now)
    return len(over)


def _held_ddms_over(now: datetime) -> int:
    with transaction.atomic():
        over = leases.held(Discovery, now, BATCH)
        Discovery.objects.filter(pk__in=[found.pk for found in over]).update(status=Status.FAILED, due_at=None)
    return len(over)


def _leases_over(now: datetime) -> int:
    with transaction.atomic():
        lost = leases.leases_over(Message, now, BATCH)
        doubtful = "the worker died after the request may have left"
        timeline.write((Entry(m, "in-doubt", doubtful) for m, left in lost if left), now)
        timeline.write((Entry(m, "lost", "the worker died before sending") for m, left in lost if not left), now)
        transitions.fail([m for m, _ in lost if m.status == Status.FAILED], "workers died over preparing it", now)
    return len(lost)


def _ddm_leases_over(now: datetime) -> int:
    with transaction.atomic():
        lost = leases.leases_over(Discovery, now, BATCH)
        for found, _ in lost:
            if found.status == Status.FAILED:
                discovery.failed(found, "workers died over preparing the DDM", now)
    return len(lost)


def _overdue(status: Status, now: datetime) -> list[Message]:
    rows = Message.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
    overdue = rows.filter(status=status, due_at__lte=now).select_related("carrier", "account")
    return list(overdue.order_by("due_at")[:BATCH])


def _deadlines(now: datetime) -> int:
    """Messages that waited for a discovery as long as they may go on, with what is known by now."""
    with transaction.atomic():
        overdue = _overdue(Status.DISCOVERING, now)
        discovery.deadline_passed(overdue, now)
    return len(overdue)


def _expiries(now: datetime) -> int:
    """Messages without a final report by their expiry. In doubt to the end means that nobody can say: E101."""
    with transaction.atomic():
        silent, doubtful = _overdue(Status.SUBMITTED, now), _overdue(Status.IN_DOUBT, now)
        unready = _overdue(Status.ENCODING, now)
        charging.hold([*silent, *doubtful, *unready])
        notice = Notice("E102", notices.EXPIRED, "no delivery report before it expired")
        timeline.write((Entry(message, "expired", notice.details, notice) for message in silent), now)
        keys = [message.pk for message in silent]
        Message.objects.filter(pk__in=keys).update(status=Status.EXPIRED, due_at=None, final_at=now)
        charging.undelivered(silent, now)
        transitions.fail(doubtful, "the MMSC never answered; the message may have been delivered", now)
        transitions.fail(unready, "its audio or video was not encoded before it expired", now)
    return max(len(silent), len(doubtful), len(unready))


def _discoveries_over(now: datetime) -> int:
    """Discoveries that no message waits for any more."""
    with transaction.atomic():
        rows = Discovery.objects.select_for_update(no_key=True, skip_locked=True)
        over = list(rows.filter(status__in=AWAITING_REPORT, due_at__lte=now).order_by("due_at")[:BATCH])
        Discovery.objects.filter(pk__in=[d.pk for d in over]).update(status=Status.EXPIRED, due_at=None)
    return len(over)


def _match_reports(now: datetime) -> int:
    looked_at = 0
    while looked_at < BATCH and (matched := _match_some(now)):
        looked_at += matched
    return looked_at


def _match_some(now: datetime) -> int:
    with transaction.atomic():
        found = report_matching.match_again(now, MATCHED)
        matched = [report for report in found if report.attempt]
        transitions.apply(matched, now)
        # Last, as with reports that come in: a cached handset is locked after its message and the balances.
        report_matching.learn([(report, report.identity) for report in matched])
    return len(found)


def _content_over(now: datetime) -> int:
    return deletion.clear(now, BATCH)


def _files_over(now: datetime) -> int:
    return deletion.remove_files(now, BATCH)


def _answers_over(now: datetime) -> int:
    """Answers that are not kept for repeats any longer."""
    with transaction.atomic():
        rows = FirstAnswer.objects.select_for_update(skip_locked=True).filter(created_at__lte=now - FirstAnswer.KEPT)
        over = list(rows.order_by("created_at").values_list("pk", flat=True)[:BATCH])
        FirstAnswer.objects.filter(pk__in=over).delete()
    return len(over)


STEPS = (
    _leases_over,
    _ddm_leases_over,
    _match_reports,  # before a message is told as expired that was reported
    _deadlines,
    _expiries,
    _discoveries_over,
    _content_over,
    _files_over,
    _answers_over,
)
