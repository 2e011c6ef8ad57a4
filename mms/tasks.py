"""The tasks of the workers. They carry nothing and may be lost, doubled or late: what is due is in the database."""

from celery import shared_task
from django.utils import timezone

from billing import low_balance
from mms.content import orphaned_files
from mms.encoding import worker as encoder
from mms.messages import sender, sweeper
from mms.postbacks import apart, notifier
from mms.runtime import wakeup


@shared_task(name=wakeup.WORK)
def work() -> None:
    """Moves every message and discovery that is due."""
    wakeup.answered(wakeup.WORK)
    sender.run()


@shared_task(name=wakeup.NOTIFY)
def notify() -> None:
    """Hands over every postback that is due."""
    wakeup.answered(wakeup.NOTIFY)
    notifier.run()


@shared_task(name=wakeup.ENCODE)
def encode() -> None:
    """Encodes every audio and video that is due."""
    wakeup.answered(wakeup.ENCODE)
    encoder.run()


@shared_task(name="mms.end_held")
def end_held() -> None:
    """Ends what expired while its carrier was switched off."""
    sweeper.fail_expired_at_disabled_carriers(timezone.now())


@shared_task(name="mms.low_balances")
def low_balances() -> None:
    """Notices the accounts that have fallen below their mark, and tells them so."""
    now = timezone.now()
    low_balance.write_notices(now, apart.tell_of_low_balance)
    low_balance.send_notices(now)


@shared_task(name="mms.discard_orphans")
def discard_orphans() -> None:
    """Has the files removed that no row came to name, in the folder whose turn it is."""
    now = timezone.now()
    orphaned_files.discard(orphaned_files.folder_of(now), now)
