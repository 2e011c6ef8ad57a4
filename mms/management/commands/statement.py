"""`manage.py statement`: print the monthly statement of an account as CSV."""

from datetime import UTC, date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from base import time_limits
from billing.models import Account
from mms.messages import statements


class Command(BaseCommand):
    help = "Print the statement of an account as CSV: usage by class, country and carrier, top-ups, balances."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare account and month."""
        parser.add_argument("account", help="its name")
        parser.add_argument("month", type=parse_month, help="such as 2026-11")

    @time_limits.without  # it may read millions of entries
    def handle(self, *args: Any, account: str, month: date, **options: Any) -> None:
        """Print the statement."""
        found = Account.objects.filter(name=account).first()
        if found is None:
            raise CommandError(f"there is no account named {account}")
        self.stdout.write(statements.to_csv(statements.statement_for(found, month)), ending="")


def parse_month(text: str) -> date:
    """Return the first day of a month. Raises ValueError, which argparse reports."""
    return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
