"""An error in the customers' thread stops the run, because its results would be incomplete."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from simulator.chaos import send_requests
from simulator.chaos.customers import Customers


def test_exception_of_the_customers_is_raised_by_the_future() -> None:
    (request,) = send_requests.generate(1, 1, 1)
    customers = Customers(9, "http://x", [], datetime.now(UTC))  # the request's account does not exist
    with pytest.raises(ExceptionGroup) as error:
        customers.send([replace(request, at=0.0)], time.monotonic()).result(10)
    assert error.group_contains(IndexError)
