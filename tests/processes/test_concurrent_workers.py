"""Several workers that claim the same rows, and schedulers that are killed or doubled."""

from datetime import timedelta
from types import SimpleNamespace

from mms.models import Discovery, Postback, Status
from tests.processes.messages import (
    DDM,
    NEVER_REPORTED,
    accept,
    all_delivered,
    check_consistency,
    make_older,
    number,
    statuses,
)
from tests.processes.platform_under_test import Platform, eventually


def test_racing_workers_send_each_message_and_ddm_once(records: SimpleNamespace, network: Platform) -> None:
    for _ in range(140):
        accept(records, number(NEVER_REPORTED))
    shared = [number(NEVER_REPORTED) for _ in range(30)]
    for to in shared + shared[::-1]:
        accept(records, to, DDM)
    workers = [network.worker("flow") for _ in range(3)]
    eventually(lambda: all(worker.has_logged("ready.") for worker in workers))
    for _ in workers:
        network.wake()
    eventually(lambda: statuses() == {"submitted": 140, "discovering": 60})
    eventually(lambda: Discovery.objects.filter(status=Status.SUBMITTED).count() == len(shared))
    assert sorted(Discovery.objects.values_list("number", flat=True)) == sorted(shared)
    make_older(timedelta(minutes=5))
    for _ in workers:
        network.wake()
    eventually(lambda: statuses() == {"submitted": 200})
    assert not [worker for worker in workers if worker.has_logged("deadlock")]
    network.worker("postbacks")
    network.worker("postbacks")
    for _ in range(2):
        network.wake("mms.notify", "postbacks")
    eventually(lambda: not Postback.objects.exclude(status="taken").exists())
    check_consistency(network)
    assert len(network.simulator_log("postback")) == 140 + 60 * 2


def test_beat_may_be_killed_restarted_and_doubled(records: SimpleNamespace, network: Platform) -> None:
    network.worker("flow,postbacks", children=2)
    first = network.beat()
    network.web()
    accept(records, number())
    eventually(all_delivered)
    first.kill()
    for _ in range(20):
        accept(records, number())
    network.beat()
    network.beat()
    eventually(all_delivered)
    assert statuses() == {"delivered": 21}
    check_consistency(network)
