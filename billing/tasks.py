"""The task that looks after low balances. It carries nothing and may be lost or doubled: the rows are the truth."""

from django.utils import timezone

from billing import low_balance
from config.celery import app


@app.task(name="billing.low_balances")
def low_balances() -> None:
    """Notices the accounts that have fallen below their mark, and sends what is due."""
    now = timezone.now()
    low_balance.look(now)
    low_balance.send(now)
