"""Carriers whose MMSC hangs, or takes few submits a second, beside others."""

import time
from bisect import bisect_left
from types import SimpleNamespace

from mms.messages import sender
from mms.models import Attempt, Carrier, CarrierFeed, Message
from tests.processes.messages import accept
from tests.processes.platform_under_test import Platform, eventually
from tests.scripted import Answer, Response, ScriptedServer, serving
from tests.wire import submit_rsp

HANGING, BACKLOG, PROMPT = 5, 200, 100
THROUGHPUT = 20
HANGS: tuple[Answer, ...] = ("hang",) * 1000
TRIAL = sender.LIMITS.trial or 0


def create_carrier(name: str, url: str, timeout: int = 60) -> Carrier:
    key = Carrier.objects.count() + 1
    access = {"vaspid": "vasp", "vasid": "vas", "mmsc_url": f"{url}/mm7", "timeout": timeout}
    return Carrier.objects.create(name=name, slug=name, operator_id=key, **access)


def accept_many(records: SimpleNamespace, carrier: Carrier, count: int) -> None:
    carried = SimpleNamespace(**{**vars(records), "carrier": carrier})
    for number in range(count):
        accept(carried, f"1404{carrier.pk % 1000:03}{number:04}")


def count(carrier: Carrier, status: str) -> int:
    return Message.objects.filter(carrier=carrier, status=status).count()


def test_hanging_carriers_leave_room_for_the_others(
    records: SimpleNamespace, platform: Platform, mmsc: ScriptedServer
) -> None:
    mmsc.script.clear()
    mmsc.default = submit_rsp("M")
    with serving(Response()) as hanging:
        hanging.answering.clear()
        carriers = [create_carrier(f"hanging-{number}", hanging.url) for number in range(HANGING)]
        for carrier in carriers:
            accept_many(records, carrier, BACKLOG)
        worker = platform.worker("flow")
        eventually(lambda: worker.has_logged("ready."))
        platform.wake()
        eventually(lambda: len(hanging.received) == HANGING * TRIAL)
        accept_many(records, records.carrier, PROMPT)
        platform.wake()
        eventually(lambda: count(records.carrier, "submitted") == PROMPT, timeout=20)
        # They hung throughout, and none got more than the first few.
        assert len(hanging.received) == HANGING * TRIAL
        assert not Attempt.objects.filter(carrier__in=carriers).exclude(finished_at=None).exists()


def test_carriers_that_begin_to_hang_leave_room_for_the_others(
    records: SimpleNamespace, platform: Platform, mmsc: ScriptedServer
) -> None:
    mmsc.script.clear()
    mmsc.default = submit_rsp("M")
    with serving(submit_rsp("H")) as hanging:
        hanging.script.extend([submit_rsp("H")] * HANGING * TRIAL)
        hanging.script.extend(HANGS)
        carriers = [create_carrier(f"hanging-{number}", hanging.url) for number in range(HANGING)]
        for carrier in carriers:
            accept_many(records, carrier, BACKLOG)
        worker = platform.worker("flow")
        eventually(lambda: worker.has_logged("ready."))
        platform.wake()
        open_attempts = Attempt.objects.filter(carrier__in=carriers, finished_at=None)
        eventually(lambda: open_attempts.count() > 300)
        accept_many(records, records.carrier, PROMPT)
        platform.wake()
        eventually(lambda: count(records.carrier, "submitted") == PROMPT, timeout=20)
        assert open_attempts.count() > 300


def test_hang_costs_few_messages_and_one_for_each_probe(
    records: SimpleNamespace, platform: Platform, mmsc: ScriptedServer
) -> None:
    mmsc.script.clear()
    mmsc.default = submit_rsp("M")
    mmsc.script.extend(HANGS)
    Carrier.objects.update(timeout=1)
    accept_many(records, records.carrier, BACKLOG)
    platform.worker("flow", children=2)
    platform.beat()
    eventually(lambda: CarrierFeed.objects.filter(pauses__gte=2).exists())
    lost = len(mmsc.received)
    assert lost <= 2 * TRIAL + 2
    mmsc.script.clear()
    CarrierFeed.objects.update(paused_until=None, failures=0, pauses=0)
    eventually(lambda: count(records.carrier, "submitted") == BACKLOG - count(records.carrier, "in_doubt"))
    assert count(records.carrier, "in_doubt") <= lost + 1


def test_throughput_of_a_carrier_is_never_exceeded(
    records: SimpleNamespace, platform: Platform, mmsc: ScriptedServer
) -> None:
    mmsc.script.clear()
    mmsc.default = submit_rsp("M")
    Carrier.objects.update(throughput=THROUGHPUT)
    for _ in range(2):
        platform.worker("flow", children=2)
    platform.beat()
    started = time.monotonic()
    accept_many(records, records.carrier, 4 * THROUGHPUT)
    eventually(lambda: count(records.carrier, "submitted") == 4 * THROUGHPUT)
    times = sorted(request.at for request in mmsc.received)
    most = max(bisect_left(times, at + 1) - position for position, at in enumerate(times))
    # Each of four processes may prepare the two rows of a claim for longer than others.
    assert most <= THROUGHPUT + 4 * 2
    assert times[-1] - times[0] < 12
    assert times[-1] - started > 3
