"""Celery tasks of billing. They have no arguments: a lost or repeated task does no harm."""

import structlog
from celery import shared_task
from django.utils import timezone

from billing import ledger

log = structlog.get_logger()


@shared_task(name="billing.audit")
def reconcile_ledger() -> None:
    """Compare every balance with the ledger and log the differences."""
    for difference in ledger.record_reconciliation(timezone.now()):
        log.error("balance differs from ledger", account=difference.account)
