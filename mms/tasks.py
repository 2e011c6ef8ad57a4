"""The tasks of the workers. They carry nothing and may be lost, doubled or late: what is due is in the database."""

from django.utils import timezone

from billing import low_balance
from config.celery import app
from mms import delivery, doorbell, orphans, overdue
from mms.encoding import worker as encoder
from mms.postbacks import apart, notifier


@app.task(name=doorbell.WORK)
def work() -> None:
    """Moves every message and discovery that is due."""
    doorbell.answered(doorbell.WORK)
    delivery.run()


@app.task(name=doorbell.NOTIFY)
def notify() -> None:
    """Hands over every postback that is due."""
    doorbell.answered(doorbell.NOTIFY)
    notifier.run()


@app.task(name=doorbell.ENCODE)
def encode() -> None:
    """Encodes every audio and video that is due."""
    doorbell.answered(doorbell.ENCODE)
    encoder.run()


@app.task(name="mms.end_held")
def end_held() -> None:
    """Ends what expired while its carrier was switched off."""
    overdue.end_held(timezone.now())


@app.task(name="mms.low_balances")
def low_balances() -> None:
    """Notices the accounts that have fallen below their mark, and tells them so."""
    now = timezone.now()
    low_balance.look(now, apart.tell_of_low_balance)
    low_balance.send(now)


@app.task(name="mms.discard_orphans")
def discard_orphans() -> None:
    """Has the files removed that no row came to name, in the folder whose turn it is."""
    now = timezone.now()
    orphans.discard(orphans.folder_of(now), now)
