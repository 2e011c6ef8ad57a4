"""`manage.py statement`: an account's month as CSV."""

from datetime import UTC, date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.models import Account
from mms.messages import statements


class Command(BaseCommand):
    help = "Prints the statement of an account as CSV: usage by class, country and carrier, top-ups, balances."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("account", help="its name")
        parser.add_argument("month", type=_month, help="as in 2026-11")

    def handle(self, *args: Any, account: str, month: date, **options: Any) -> None:
        found = Account.objects.filter(name=account).first()
        if found is None:
            raise CommandError(f"there is no account named {account}")
        self.stdout.write(statements.to_csv(statements.statement_for(found, month)), ending="")


def _month(text: str) -> date:
    """The first day of a month. Raises ValueError, of which argparse makes the error that the caller sees."""
    return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
