"""The plan of a run: reproducible from its seed, and with every kind of fault and request."""

from itertools import pairwise

import pytest

from simulator.chaos import plan, send_requests
from simulator.chaos.plan import INITIAL_DELAY, RECOVERY_TIME, FaultKind
from simulator.chaos.send_requests import Endpoint
from simulator.numbers import BEHAVIOURS, subscriber

SECONDS = send_requests.duration(5000)


def test_same_seed_gives_the_same_run() -> None:
    assert plan.plan_faults(1, SECONDS) == plan.plan_faults(1, SECONDS) != plan.plan_faults(2, SECONDS)
    assert send_requests.generate(1, 50, 4) == send_requests.generate(1, 50, 4) != send_requests.generate(2, 50, 4)


@pytest.mark.parametrize("seed", range(20))
def test_every_fault_occurs_and_leaves_time_for_recovery(seed: int) -> None:
    planned = plan.plan_faults(seed, SECONDS)

    assert {fault.kind for fault in planned} == set(FaultKind)
    assert planned == sorted(planned, key=lambda fault: fault.at)
    assert all(INITIAL_DELAY <= fault.at <= fault.end <= SECONDS for fault in planned)
    for target in {fault.target for fault in planned}:
        faults = [fault for fault in planned if fault.target == target]
        assert all(later.at >= earlier.end + RECOVERY_TIME for earlier, later in pairwise(faults))


def test_requests_cover_all_options_and_behaviours() -> None:
    requests = send_requests.generate(1, 5000, 4)

    assert len({request.reference for request in requests}) == 5000
    assert all(0.0 <= request.at <= SECONDS for request in requests)
    assert {subscriber(request.number).behaviour_digits for request in requests} == set(BEHAVIOURS)
    assert {(request.endpoint, request.inline) for request in requests} == {
        (endpoint, inline)
        for endpoint in Endpoint
        for inline in (True, False)
        if not (inline and endpoint is Endpoint.GET)
    }
    for option in ("handset_known", "discovers", "forces_ddm", "keyed", "repeated", "expires"):
        assert {getattr(request, option) for request in requests} == {True, False}
    assert len({request.number for request in requests}) < len(requests)
    assert {request.account for request in requests} == {0, 1, 2, 3}
