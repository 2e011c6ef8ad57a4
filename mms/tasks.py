"""Celery tasks. They have no arguments, and may be lost, repeated or late: the database holds what is due."""

from celery import shared_task
from django.utils import timezone

from billing import low_balance
from mms.content import orphaned_files
from mms.encoding import worker as encoder
from mms.messages import sender, sweeper
from mms.postbacks import notifier, standalone
from mms.runtime import wakeup

# Seconds after which the worker kills the child that runs the task, as a last resort against a hang: longer than a time
# slice with its drain, its retries across a database restart, or an encoding.
TIME_LIMIT = 300


@shared_task(name=wakeup.WORK, time_limit=TIME_LIMIT)
def work() -> None:
    """Send due messages and DDMs."""
    wakeup.record_start(wakeup.WORK)
    sender.run()


@shared_task(name=wakeup.NOTIFY, time_limit=TIME_LIMIT)
def notify() -> None:
    """Send due postbacks."""
    wakeup.record_start(wakeup.NOTIFY)
    notifier.run()


@shared_task(name=wakeup.ENCODE, time_limit=TIME_LIMIT)
def encode() -> None:
    """Encode due audio and video."""
    wakeup.record_start(wakeup.ENCODE)
    encoder.run()


@shared_task(name="mms.fail_expired_at_disabled_carriers")
def fail_expired_at_disabled_carriers() -> None:
    """Fail messages and discoveries that expired while their carrier was disabled or paused."""
    sweeper.fail_expired_at_disabled_carriers(timezone.now())


@shared_task(name="mms.notify_low_balances")
def notify_low_balances() -> None:
    """Notify the customers whose balance has fallen below the threshold of their account."""
    now = timezone.now()
    low_balance.write_notices(now, standalone.write_low_balance_postback)
    low_balance.send_notices(now)


@shared_task(name="mms.remove_orphaned_files")
def remove_orphaned_files() -> None:
    """Remove the orphaned files of one folder, a different one each hour."""
    now = timezone.now()
    orphaned_files.discard(orphaned_files.folder_due(now), now)
