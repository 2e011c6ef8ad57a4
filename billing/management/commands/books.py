"""`manage.py books`: proves that every balance is what its ledger adds up to."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import ledger
from billing.models import Account, LedgerEntry


class Command(BaseCommand):
    help = "Proves that books and balances are equal; the exit status is 1 where they are not."

    def handle(self, *args: Any, **options: Any) -> None:
        differences = ledger.prove()
        for difference in differences:
            name = Account.objects.get(pk=difference.account).name
            self.stdout.write(
                f"{name}: balance and reserved are {difference.kept}, the ledger adds up to {difference.proven}"
            )
        if differences:
            raise CommandError(f"{len(differences)} accounts differ")
        self.stdout.write(f"{LedgerEntry.objects.count()} entries, every balance proven")
