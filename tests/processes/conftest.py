"""Fixtures: a platform of real processes, on the test database and a separate broker."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.processes.platform_under_test import Broker, Platform


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.destroy()


@pytest.fixture
def platform(
    transactional_db: None, django_db_serialized_rollback: None, broker: Broker, tmp_path: Path
) -> Iterator[Platform]:
    broker.flush()
    platform = Platform(tmp_path, broker)
    yield platform
    platform.stop()


@pytest.fixture
def network(records: SimpleNamespace, platform: Platform) -> Platform:
    """The platform together with the simulator, which plays the carrier's MMSC and the customer's server."""
    platform.simulator()
    records.carrier.mmsc_url = f"{platform.simulator_url}/mm7"
    records.carrier.timeout = 30
    records.carrier.save()
    records.account.postback_url = f"{platform.simulator_url}/postbacks/ok"
    records.account.save()
    return platform
