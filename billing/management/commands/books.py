"""`manage.py books`: proves that every balance is what its ledger adds up to."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing import ledger
from billing.amounts import format_amount
from billing.models import Account, LedgerEntry


class Command(BaseCommand):
    help = "Proves that books and balances are equal; the exit status is 1 where they are not."

    def handle(self, *args: Any, **options: Any) -> None:
        differences = ledger.record_reconciliation(timezone.now())
        for difference in differences:
            account = Account.objects.get(pk=difference.account)
            stored, computed = (
                _describe(amounts, account.currency) for amounts in (difference.stored, difference.computed)
            )
            self.stdout.write(f"{account}: kept is a balance of {stored}; the ledger adds up to {computed}")
        if differences:
            raise CommandError(f"accounts that differ: {len(differences)}")
        self.stdout.write(f"{LedgerEntry.objects.count():,} entries, every balance proven")


def _describe(amounts: tuple[int, int], currency: str) -> str:
    balance, reserved = amounts
    return f"{format_amount(balance, currency)}, {format_amount(reserved, currency)} of it reserved"
