"""A hanging customer server does not delay the postbacks of other customers."""

from datetime import UTC, datetime, timedelta
from statistics import median
from types import SimpleNamespace

from billing.models import Account
from mms.models import Postback, PostbackAttempt
from mms.postbacks import notifier
from mms.runtime import in_flight
from tests.processes.platform_under_test import Platform, eventually
from tests.scripted import Response, ScriptedServer, serving

BATCH = 150
ROUNDS = 3
BACKLOG = 600


def due(account: Account, count: int) -> list[Postback]:
    now = datetime.now(UTC)
    return Postback.objects.bulk_create(
        Postback(account=account, code="N101", fields={"code": "N101"}, due_at=now, created_at=now)
        for _ in range(count)
    )


def latency(platform: Platform, account: Account) -> float:
    """Return the seconds from due to delivered: the median of the least disturbed batch."""
    return min(_latency(platform, account) for _ in range(ROUNDS))


def _latency(platform: Platform, account: Account) -> float:
    keys = [postback.pk for postback in due(account, BATCH)]
    platform.wake("mms.notify", "postbacks")
    batch = Postback.objects.filter(pk__in=keys)
    eventually(lambda: batch.filter(status="taken").count() == BATCH)
    moments = batch.values_list("created_at", "ended_at")
    return median((end - begin).total_seconds() for begin, end in moments if end)


def test_hanging_server_does_not_delay_other_accounts(
    records: SimpleNamespace, platform: Platform, customer: ScriptedServer
) -> None:
    platform.worker("postbacks")
    _latency(platform, records.account)  # waits until the worker is up
    alone = latency(platform, records.account)
    with serving(Response()) as hanging:
        hanging.answering.clear()
        due(Account.objects.create(name="Hanging", postback_url=hanging.url), BACKLOG)
        platform.wake("mms.notify", "postbacks")
        unanswered = PostbackAttempt.objects.filter(postback__account__name="Hanging", duration_ms=None)
        recent = timedelta(seconds=in_flight.SLOW)
        eventually(lambda: len(hanging.received) == notifier.LIMITS.per_destination)
        eventually(lambda: not unanswered.filter(started_at__gt=datetime.now(UTC) - recent).exists())
        beside = latency(platform, records.account)
        # The server hung throughout, with at most this many requests in flight.
        assert (len(hanging.received), unanswered.count()) == (
            notifier.LIMITS.per_destination,
            notifier.LIMITS.per_destination,
        )
    print(f"medians of {BATCH}: alone {alone:.3f} s, beside a server that hangs {beside:.3f} s")  # noqa: T201
    assert beside < 2 * alone
