"""`manage.py books`: compare every balance with the sum of its ledger."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing import ledger
from billing.amounts import format_amount
from billing.models import Account, LedgerEntry


class Command(BaseCommand):
    help = "Compares every balance with the sum of its ledger. The exit status is 1 if any differs."

    def handle(self, *args: Any, **options: Any) -> None:
        differences = ledger.record_reconciliation(timezone.now())
        for difference in differences:
            account = Account.objects.get(pk=difference.account)
            stored, computed = (
                _describe(amounts, account.currency) for amounts in (difference.stored, difference.computed)
            )
            self.stdout.write(f"{account}: the stored balance is {stored}; the ledger adds up to {computed}")
        if differences:
            raise CommandError(f"accounts whose balance differs from the ledger: {len(differences)}")
        self.stdout.write(f"ledger entries: {LedgerEntry.objects.count():,}; all balances match")


def _describe(amounts: tuple[int, int], currency: str) -> str:
    balance, reserved = amounts
    return f"{format_amount(balance, currency)}, {format_amount(reserved, currency)} of it reserved"
