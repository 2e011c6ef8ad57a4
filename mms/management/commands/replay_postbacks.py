"""`manage.py replay_postbacks`: sends notifications of an account once more."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone

from billing.models import Account
from mms.models import Message, Postback
from mms.models.tracking_ids import parse_tracking_id
from mms.postbacks import outbox
from mms.runtime import wakeup


def moment(text: str) -> datetime:
    """A moment in ISO 8601; one without an offset is in the platform's time zone."""
    try:
        given = datetime.fromisoformat(text)
        return (given if given.tzinfo else timezone.make_aware(given)).astimezone(UTC)
    except (ValueError, OverflowError) as problem:
        raise ArgumentTypeError(f"{text} is not ISO 8601, such as 2026-11-22T12:00:00+00:00") from problem


class Command(BaseCommand):
    help = "Sends postbacks again: those that an account's server did not take, or all of one message."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--account", help="name of the account whose postbacks were given up")
        what.add_argument("--tracking-id", help="all postbacks of this message, taken or given up")
        parser.add_argument("--since", type=moment, help="with --account: given up from this moment on")
        parser.add_argument("--until", type=moment, help="with --account: given up before this moment")

    def handle(self, *args: Any, **options: Any) -> None:
        postbacks = _of_message(options["tracking_id"]) if options["tracking_id"] else _failed(options)
        replayed = outbox.replay(postbacks, timezone.now())
        wakeup.wake(wakeup.NOTIFY)
        self.stdout.write(f"Postbacks that are sent again: {replayed}")


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
        raise CommandError("--since is missing: from which moment on?")
    return outbox.given_up_between(account, options["since"], options["until"])
