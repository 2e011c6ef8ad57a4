"""The send loop: what happens to claimed rows and to replies when the process or the database fails."""

import gc
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import OperationalError

from mms.messages import leases, sender
from mms.models import Message
from mms.runtime import db_retry, wakeup
from mms.runtime.http_client import Purpose, Request
from mms.runtime.send_loop import Claim, Clock, Launches, Limits, Replies, Room, SendLoop
from tests.processes.platform_under_test import eventually
from tests.scripted import Response, ScriptedServer, serving

LIMITS = Limits(in_flight=8, per_destination=8, claim=8, claim_every=0.0, reply_wait=0.01, gather=0.0, slow=0.0)


class Numbers:
    """A source of numbers, each of which is its own destination. The first `failures` settles lose the database."""

    def __init__(self, url: str, numbers: Sequence[int], failures: int = 0) -> None:
        self.url, self.due, self.failures = url, list(numbers), failures
        self.settled: list[int] = []

    def claim(self, now: datetime, room: Room) -> Claim[int]:
        claimed, self.due = self.due, []
        return Claim(claimed, len(claimed))

    def prepare(self, rows: Sequence[int], clock: Clock) -> Iterator[Launches[int]]:
        yield [(number, Request(f"{self.url}/{number}", b"content", {}, 30.0)) for number in rows]

    def release(self, rows: Sequence[int], now: datetime) -> None:
        raise AssertionError("nothing is released here")

    def settle(self, replies: Replies[int], now: datetime) -> None:
        if self.failures:
            self.failures -= 1
            raise OperationalError("the database is gone")
        self.settled += [number for number, _ in replies]

    def destination(self, item: int) -> int:
        return item

    account = destination


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    monkeypatch.setattr(db_retry, "RETRY_SCHEDULE", ())
    with serving(Response()) as scripted:
        yield scripted


@pytest.mark.django_db
def test_drain_settles_replies_after_a_lost_one(server: ScriptedServer) -> None:
    server.answering.clear()
    lost, others = Numbers(server.url, [1], failures=1), Numbers(server.url, [2, 3])
    loop = SendLoop(wakeup.WORK, Purpose.MMSC, (lost, others), LIMITS)
    with loop.in_flight:
        loop.claim()
        eventually(lambda: len(server.received) == 3)
        server.answering.set()
        loop._drain()
    assert (lost.settled, sorted(others.settled)) == ([], [2, 3])


@pytest.mark.django_db
def test_source_losing_the_database_keeps_the_replies_of_another(server: ScriptedServer) -> None:
    lost, other = Numbers(server.url, [1], failures=1), Numbers(server.url, [2])
    loop = SendLoop(wakeup.WORK, Purpose.MMSC, (lost, other), LIMITS)
    with loop.in_flight:
        loop.claim()
        eventually(lambda: len(loop.in_flight._completed) == 2)
        with pytest.raises(OperationalError):
            loop.settle(0)
    assert other.settled == [2]


def _highest_descriptor() -> int:
    return max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())


@contextmanager
def no_file_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (_highest_descriptor() + 8, hard))
    try:
        while True:
            opened.append(os.dup(0))
    except OSError:
        yield
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # what asyncio leaves behind
def test_process_without_file_descriptors_releases_its_messages(
    records: SimpleNamespace, send: Callable[..., Message], mmsc: ScriptedServer
) -> None:
    message = send()
    loop = sender.send_loop()
    with loop.in_flight, no_file_descriptors(), pytest.raises(OSError, match="Too many open files"):
        loop.claim()
    gc.collect()
    message.refresh_from_db()
    assert (message.status, message.losses, message.attempts.count(), mmsc.received) == ("accepted", 0, 0, [])


def test_ddm_passes_a_backlog_of_messages(
    records: SimpleNamespace, send: Callable[..., Message], mmsc: ScriptedServer
) -> None:
    mmsc.answering.clear()
    send("<ddm-message-text>Which handset?</ddm-message-text>", to="14044790001")
    for _ in range(130):
        send()
    loop = sender.send_loop()
    with loop.in_flight:
        for _ in range(3):
            loop.claim()
        eventually(lambda: len(mmsc.received) == len(loop.in_flight.keys))
        assert any(b"Which handset?" in request.body for request in mmsc.received)
        mmsc.answering.set()
        loop._drain()


def test_database_restart_costs_a_message_no_life(
    records: SimpleNamespace, send: Callable[..., Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    message = send()
    before_start = leases._database_started_at() - timedelta(hours=1)
    Message.objects.update(status="sending", due_at=before_start)
    sender.run()
    message.refresh_from_db()
    assert (message.status, message.losses) == ("submitted", 0)
    assert message.submitted_at is not None
    assert message.submitted_at <= datetime.now(UTC)
