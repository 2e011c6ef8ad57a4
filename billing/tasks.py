"""The tasks that look after money. They carry nothing and may be lost or doubled: the rows are the truth."""

import structlog
from django.utils import timezone

from billing import ledger, low_balance
from config.celery import app

log = structlog.get_logger()


@app.task(name="billing.low_balances")
def low_balances() -> None:
    """Notices the accounts that have fallen below their mark, and sends what is due."""
    now = timezone.now()
    low_balance.look(now)
    low_balance.send(now)


@app.task(name="billing.audit")
def audit() -> None:
    """Proves the books."""
    for difference in ledger.audit(timezone.now()):
        log.error("a balance is not what its ledger adds up to", account=difference.account)
