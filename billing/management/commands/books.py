"""`manage.py books`: proves that every balance is what its ledger adds up to."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing import ledger
from billing.amounts import shown
from billing.models import Account, LedgerEntry


class Command(BaseCommand):
    help = "Proves that books and balances are equal; the exit status is 1 where they are not."

    def handle(self, *args: Any, **options: Any) -> None:
        differences = ledger.audit(timezone.now())
        for difference in differences:
            account = Account.objects.get(pk=difference.account)
            kept, proven = (_told(amounts, account.currency) for amounts in (difference.kept, difference.proven))
            self.stdout.write(f"{account}: kept is a balance of {kept}; the ledger adds up to {proven}")
        if differences:
            raise CommandError(f"accounts that differ: {len(differences)}")
        self.stdout.write(f"{LedgerEntry.objects.count():,} entries, every balance proven")


def _told(amounts: tuple[int, int], currency: str) -> str:
    balance, reserved = amounts
    return f"{shown(balance, currency)}, {shown(reserved, currency)} of it reserved"
