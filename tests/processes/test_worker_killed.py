"""Workers are killed or stopped with submits in flight."""

import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import psutil  # type: ignore[import-untyped]
import pytest
from django.db import transaction

from mms.messages import leases
from mms.models import Attempt, Message, Postback, Rendition, Status
from mms.postbacks import outbox
from tests.processes.messages import accept, make_older, number, statuses
from tests.processes.platform_under_test import Platform, StuckFile, eventually
from tests.scripted import ScriptedServer

TRANSACTION = re.compile(rb"<(?:\w+:)?TransactionID[^>]*>([^<]+)<")


@pytest.fixture
def slow(records: SimpleNamespace, platform: Platform, mmsc: ScriptedServer) -> ScriptedServer:
    """The carrier's MMSC, which reads requests but answers only once its gate is open."""
    records.carrier.timeout = 60
    records.carrier.save()
    mmsc.answering.clear()
    return mmsc


def received(mmsc: ScriptedServer) -> Counter[str]:
    """Return how often each TransactionID was received."""
    return Counter(TRANSACTION.findall(sent.body)[0].decode() for sent in mmsc.received)


def test_worker_kill_leaves_sent_messages_in_doubt(
    records: SimpleNamespace, platform: Platform, slow: ScriptedServer
) -> None:
    left = [accept(records, number()) for _ in range(4)]
    worker = platform.worker()
    platform.wake()
    eventually(lambda: len(slow.received) == len(left))
    with StuckFile(Path(Rendition.objects.get().file.path)) as picture:
        with transaction.atomic():  # so that one claim covers all of them
            held = [accept(records, number()) for _ in range(4)]
        eventually(lambda: statuses()[Status.SENDING] == len(left) + len(held))
        eventually(picture.is_read)
        waiting = [accept(records, number()) for _ in range(4)]
        worker.kill()
    slow.answering.set()
    make_older(leases.LEASE)
    platform.worker()
    platform.wake()
    eventually(lambda: statuses() == {"in_doubt": len(left), "submitted": len(held + waiting)})
    assert set(Message.objects.filter(status=Status.IN_DOUBT)) == set(left)
    assert received(slow) == Counter(message.transaction_id for message in left + held + waiting)
    assert not Attempt.objects.filter(finished_at=None).exists()


def test_children_die_with_killed_main_process(
    records: SimpleNamespace, platform: Platform, slow: ScriptedServer
) -> None:
    accept(records, number())
    worker = platform.worker(children=2)
    platform.wake()
    eventually(lambda: len(slow.received) == 1)
    children = worker.children()
    assert len(children) == 2
    worker.kill_main()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]


def test_stopping_worker_drains_and_claims_no_more(
    records: SimpleNamespace, platform: Platform, slow: ScriptedServer
) -> None:
    for _ in range(4):
        accept(records, number())
    worker = platform.worker()
    platform.wake()
    eventually(lambda: len(slow.received) == 4)
    worker.terminate()
    eventually(lambda: worker.has_logged("Warm shutdown"))
    accept(records, number())
    assert worker.is_running()
    slow.answering.set()
    assert worker.wait() == 0
    assert statuses() == {"submitted": 4, "accepted": 1}
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"submitted"}


def test_postback_of_killed_worker_is_resent_with_same_id(
    records: SimpleNamespace, platform: Platform, mmsc: ScriptedServer, customer: ScriptedServer
) -> None:
    customer.answering.clear()
    accept(records, number())
    platform.worker("flow")
    notifier = platform.worker("postbacks")
    platform.wake()
    eventually(lambda: len(customer.received) == 1)
    notifier.kill()
    customer.answering.set()
    make_older(outbox.LEASE)
    platform.worker("postbacks")
    platform.wake("mms.notify", "postbacks")
    eventually(Postback.objects.filter(status="taken").exists)
    first, second = customer.received
    assert first.headers["x-mms-event-id"] == second.headers["x-mms-event-id"]
    assert first.body == second.body
