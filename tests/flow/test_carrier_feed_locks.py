"""The feed of a carrier that another transaction holds: it delays that carrier, no other one, and no result."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.db import transaction

from mms.messages import feed, sender
from mms.models import Carrier, CarrierFeed, Message, NumberPrefix
from tests.flow.threads import run_in_thread
from tests.scripted import Answer, ScriptedServer

Send = Callable[..., Message]

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@contextmanager
def held(carrier: Carrier) -> Iterator[None]:
    """Hold the feed of the carrier in another transaction, as a forgotten session does."""
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            CarrierFeed.objects.select_for_update().get(carrier=carrier)
            locked.set()
            done.wait(60)

    thread = run_in_thread(hold, [])
    assert locked.wait(10)
    try:
        yield
    finally:
        done.set()
        thread.join()


def claim_once() -> None:
    loop = sender.send_loop()
    with loop.in_flight:
        loop.claim()
        loop._drain()


def statuses_by_carrier() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for slug, status in Message.objects.values_list("carrier__slug", "status"):
        found.setdefault(slug, set()).add(status)
    return found


@pytest.mark.parametrize("limits", [{"throughput": 100}, {"failures": 3, "pauses": 1}], ids=["throughput", "paused"])
def test_held_feed_delays_its_carrier_only(
    records: SimpleNamespace, send: Send, mmsc: ScriptedServer, limits: dict[str, int]
) -> None:
    limits, first = dict(limits), records.carrier
    first.throughput = limits.pop("throughput", None)
    first.save()
    CarrierFeed.objects.create(carrier=first, **limits, paused_until=datetime.now(UTC) if limits else None)
    fields = {"mmsc_url": f"{mmsc.url}/b", "vaspid": "v", "vasid": "v", "message_bytes": 1_000_000}
    second = Carrier.objects.create(name="B", slug="b", operator_id=2, **fields)
    NumberPrefix.objects.create(prefix="14044", carrier=first)
    NumberPrefix.objects.create(prefix="14054", carrier=second)
    for number in ("14044790000", "14054790001", "14054790002"):
        send(to=number)
    with held(first):
        claim_once()
        assert statuses_by_carrier() == {first.slug: {"accepted"}, "b": {"submitted"}}
    claim_once()
    assert statuses_by_carrier() == {first.slug: {"submitted"}, "b": {"submitted"}}


def test_held_feed_delays_no_result(records: SimpleNamespace, send: Send, mmsc: ScriptedServer) -> None:
    CarrierFeed.objects.create(carrier=records.carrier, failures=1)
    resets: list[Answer] = ["reset"] * feed.FAILURES_MAX
    mmsc.answer_next(*resets)
    for number in range(feed.FAILURES_MAX):
        send(to=f"1404479000{number}")
    with held(records.carrier):
        claim_once()
        assert statuses_by_carrier() == {records.carrier.slug: {"in_doubt"}}
        send(to="14044790009")
        claim_once()
        assert statuses_by_carrier() == {records.carrier.slug: {"in_doubt", "submitted"}}
    assert CarrierFeed.objects.get().failures == 1
    send(to="14044790010")
    claim_once()
    assert CarrierFeed.objects.get().failures == 0
