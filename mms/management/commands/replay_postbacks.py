"""`manage.py replay_postbacks`: send postbacks of an account or a message again."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone

from base import time_limits
from billing.models import Account
from mms.models import Message, Postback
from mms.models.tracking_ids import parse_tracking_id
from mms.postbacks import outbox
from mms.runtime import wakeup


def timestamp(text: str) -> datetime:
    """Parse an ISO 8601 timestamp; without an offset it is in the platform's time zone. Raises ArgumentTypeError."""
    try:
        given = datetime.fromisoformat(text)
        return (given if given.tzinfo else timezone.make_aware(given)).astimezone(UTC)
    except (ValueError, OverflowError) as problem:
        raise ArgumentTypeError(f"{text} is not ISO 8601, such as 2026-11-22T12:00:00+00:00") from problem


class Command(BaseCommand):
    help = "Send postbacks again: those of an account that were given up, or all of one message."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the selection of postbacks."""
        selection = parser.add_mutually_exclusive_group(required=True)
        selection.add_argument("--account", help="name of the account whose postbacks were given up")
        selection.add_argument("--tracking-id", help="all postbacks of this message, delivered or given up")
        parser.add_argument("--since", type=timestamp, help="with --account: given up at this time or later")
        parser.add_argument("--until", type=timestamp, help="with --account: given up before this time")

    @time_limits.without  # it may find millions of postbacks
    def handle(self, *args: Any, **options: Any) -> None:
        """Make the selected postbacks due."""
        postbacks = _of_message(options["tracking_id"]) if options["tracking_id"] else _failed(options)
        replayed = outbox.replay(postbacks, timezone.now())
        wakeup.wake(wakeup.NOTIFY)
        self.stdout.write(f"Postbacks to be sent again: {replayed}")


def _of_message(tracking_id: str) -> QuerySet[Postback]:
    key = parse_tracking_id(tracking_id)
    message = Message.objects.filter(pk=key).first() if key is not None else None
    if message is None:
        raise CommandError(f"There is no message with the tracking id {tracking_id}")
    return outbox.for_message(message)


def _failed(options: dict[str, Any]) -> QuerySet[Postback]:
    account = Account.objects.filter(name=options["account"]).first()
    if account is None:
        raise CommandError(f"There is no account named {options['account']}")
    if options["since"] is None:
        raise CommandError("--since is required with --account")
    return outbox.given_up_between(account, options["since"], options["until"])
