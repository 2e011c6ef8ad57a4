"""The broker is flushed or stopped while messages wait: no message is lost, because the database holds them."""

import time
from types import SimpleNamespace

from mms.models import Discovery, Status
from tests.processes.messages import DDM, DDM_HELD, accept, all_delivered, check_consistency, number, send, statuses
from tests.processes.platform_under_test import Platform, eventually
from tests.scripted import ScriptedServer


def test_broker_flush_loses_no_message(records: SimpleNamespace, network: Platform) -> None:
    """Flush it while messages wait for a worker, then while they wait for a discovery."""
    network.web()
    early = [send(network, number()) for _ in range(5)]
    network.broker.flush()
    network.beat()
    network.worker("flow,postbacks", children=2)
    discovering = [send(network, number(DDM_HELD), DDM) for _ in range(5)]
    eventually(lambda: Discovery.objects.filter(status=Status.SUBMITTED).count() == len(discovering))
    network.broker.flush()
    late = [send(network, number()) for _ in range(5)]
    assert network.release_held_ddms() == len(discovering)
    eventually(all_delivered)
    assert statuses() == {"delivered": len(early + discovering + late)}
    check_consistency(network)


def test_messages_are_accepted_during_broker_outage(records: SimpleNamespace, network: Platform) -> None:
    network.worker("flow,postbacks", children=2)
    network.beat()
    network.web()
    send(network, number())
    eventually(all_delivered)
    network.broker.stop()
    for _ in range(3):
        began = time.monotonic()
        send(network, number())
        assert time.monotonic() - began < 1
    network.broker.start()
    eventually(all_delivered)
    assert statuses() == {"delivered": 4}
    check_consistency(network)


def test_busy_worker_survives_broker_restart(
    records: SimpleNamespace, platform: Platform, mmsc: ScriptedServer, customer: ScriptedServer
) -> None:
    records.carrier.timeout = 60
    records.carrier.save()
    customer.answering.clear()
    accept(records, number())
    worker = platform.worker("flow,postbacks", children=2)
    platform.wake()
    eventually(lambda: customer.received)
    mmsc.answering.clear()
    accept(records, number())
    platform.wake()
    eventually(lambda: len(mmsc.received) == 2)
    platform.wake()
    eventually(lambda: worker.log.read_text().count("Task mms.work") == 4)  # two have started, one has ended
    platform.broker.stop()
    eventually(lambda: worker.has_logged("Connection to broker lost"))
    platform.broker.start()
    customer.answering.set()
    mmsc.answering.set()
    accept(records, number())
    platform.wake()
    eventually(lambda: statuses() == {"submitted": 3})
    assert worker.is_running()
