"""The customers of the chaos: what breaks them ends the run, for what they sent until then proves nothing."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from simulator.chaos import orders
from simulator.chaos.customers import Customers


def test_what_breaks_the_customers_is_told() -> None:
    (order,) = orders.orders(1, 1, 1)
    customers = Customers(9, "http://x", [], datetime.now(UTC))  # nobody has the account of the order
    with pytest.raises(ExceptionGroup) as broken:
        customers.send([replace(order, at=0.0)], time.monotonic()).result(10)
    assert broken.group_contains(IndexError)
