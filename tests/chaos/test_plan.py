"""The plan of a run: repeatable from its seed, with every kind of fault in it."""

from itertools import pairwise

import pytest

from simulator.chaos import orders, plan
from simulator.chaos.orders import Door
from simulator.chaos.plan import CALM, RECOVERY, Kind
from simulator.numbers import BEHAVIOURS, subscriber

SECONDS = orders.seconds(5000)


def test_a_seed_makes_the_same_run_every_time_and_another_seed_another() -> None:
    assert plan.faults(1, SECONDS) == plan.faults(1, SECONDS) != plan.faults(2, SECONDS)
    assert orders.orders(1, 50, 4) == orders.orders(1, 50, 4) != orders.orders(2, 50, 4)


@pytest.mark.parametrize("seed", range(20))
def test_every_fault_comes_is_mended_in_time_and_strikes_what_has_recovered(seed: int) -> None:
    planned = plan.faults(seed, SECONDS)

    assert {fault.kind for fault in planned} == set(Kind)
    assert planned == sorted(planned, key=lambda fault: fault.at)
    assert all(CALM <= fault.at <= fault.end <= SECONDS for fault in planned)
    for target in {fault.target for fault in planned}:
        struck = [fault for fault in planned if fault.target == target]
        assert all(later.at >= earlier.end + RECOVERY for earlier, later in pairwise(struck))


def test_the_orders_are_of_every_sort_and_to_every_behaviour() -> None:
    made = orders.orders(1, 5000, 4)

    assert len({order.reference for order in made}) == 5000
    assert all(0.0 <= order.at <= SECONDS for order in made)
    assert {subscriber(order.number).behaviour_digits for order in made} == set(BEHAVIOURS)
    assert {(order.door, order.inline) for order in made} == {
        (door, inline) for door in Door for inline in (True, False) if not (inline and door is Door.GET)
    }
    for one in ("known", "discovers", "forced", "keyed", "doubled", "expires"):
        assert {getattr(order, one) for order in made} == {True, False}
    assert len({order.number for order in made}) < len(made)
    assert {order.account for order in made} == {0, 1, 2, 3}
