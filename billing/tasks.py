"""The task that looks after money. It carries nothing and may be lost or doubled: the rows are the truth."""

import structlog
from django.utils import timezone

from billing import ledger
from config.celery import app

log = structlog.get_logger()


@app.task(name="billing.audit")
def audit() -> None:
    """Proves the books."""
    for difference in ledger.audit(timezone.now()):
        log.error("a balance is not what its ledger adds up to", account=difference.account)
