"""The task that looks after money. It carries nothing and may be lost or doubled: the rows are the truth."""

import structlog
from celery import shared_task
from django.utils import timezone

from billing import ledger

log = structlog.get_logger()


@shared_task(name="billing.audit")
def audit() -> None:
    """Proves the books."""
    for difference in ledger.record_reconciliation(timezone.now()):
        log.error("a balance is not what its ledger adds up to", account=difference.account)
