"""The broker flushed, or down, while messages wait: the rows are the truth, it is a doorbell."""

import time
from types import SimpleNamespace

from mms.models import Discovery, Status
from tests.processes.messages import DDM, DDM_HELD, accept, all_told, check_books, number, send, statuses
from tests.processes.platform_under_test import Platform, eventually
from tests.scripted import Scripted


def test_a_flushed_broker_loses_nothing_that_waits(world: SimpleNamespace, network: Platform) -> None:
    """It forgets what waits for a worker, then, under the workers' feet, what waits for a discovery."""
    network.web()
    early = [send(network, number()) for _ in range(5)]
    network.broker.flush()
    network.beat()
    network.worker("flow,postbacks", children=2)
    discovering = [send(network, number(DDM_HELD), DDM) for _ in range(5)]
    eventually(lambda: Discovery.objects.filter(status=Status.SUBMITTED).count() == len(discovering))
    network.broker.flush()
    late = [send(network, number()) for _ in range(5)]
    assert network.release() == len(discovering)
    eventually(all_told)
    assert statuses() == {"delivered": len(early + discovering + late)}
    check_books(network)


def test_without_a_broker_messages_are_accepted_within_a_second_and_sent_once_it_is_back(
    world: SimpleNamespace, network: Platform
) -> None:
    network.worker("flow,postbacks", children=2)
    network.beat()
    network.web()
    send(network, number())
    eventually(all_told)
    network.broker.stop()
    for _ in range(3):
        began = time.monotonic()
        send(network, number())
        assert time.monotonic() - began < 1
    network.broker.start()
    eventually(all_told)
    assert statuses() == {"delivered": 4}
    check_books(network)


def test_a_worker_with_every_child_busy_and_a_task_in_hand_outlives_the_broker(
    world: SimpleNamespace, platform: Platform, mmsc: Scripted, customer: Scripted
) -> None:
    world.carrier.timeout = 60
    world.carrier.save()
    customer.gate.clear()
    accept(world, number())
    worker = platform.worker("flow,postbacks", children=2)
    platform.wake()
    eventually(lambda: customer.received)
    mmsc.gate.clear()
    accept(world, number())
    platform.wake()
    eventually(lambda: len(mmsc.received) == 2)
    platform.wake()
    eventually(lambda: worker.log.read_text().count("Task mms.work") == 4)  # two have begun, one has ended
    platform.broker.stop()
    eventually(lambda: worker.says("Connection to broker lost"))
    platform.broker.start()
    customer.gate.set()
    mmsc.gate.set()
    accept(world, number())
    platform.wake()
    eventually(lambda: statuses() == {"submitted": 3})
    assert worker.runs()
