"""A worker that is busy with other things while the answers to its submits come in."""

import time

from mms.runtime.http_client import Reply, Request
from mms.runtime.in_flight import InFlight
from tests.processes.platform_under_test import eventually
from tests.scripted import Say, serving


def test_an_answer_that_came_while_the_worker_was_busy_is_not_too_late() -> None:
    timeout = 0.5
    with serving(Say(body=b"taken")) as mmsc, InFlight[str](limit=1) as flight:
        mmsc.gate.clear()
        flight.launch("submit", Request(mmsc.url, b"content", {}, timeout))
        eventually(lambda: flight.completed(0.01) == [] and mmsc.received)
        mmsc.gate.set()
        busy_until = time.monotonic() + timeout
        eventually(lambda: time.monotonic() > busy_until)
        [(_, result)] = flight.completed(1)
    assert isinstance(result, Reply)
    assert result.body == b"taken"


def test_answers_that_are_here_are_taken_together_also_from_a_server_that_is_slow() -> None:
    with serving(Say(body=b"taken")) as mmsc, InFlight[int](limit=3, slow=0.0) as flight:
        for number in range(3):
            flight.launch(number, Request(mmsc.url, b"content", {}, 5.0))
        eventually(lambda: len(flight._completed) == 3)
        assert flight.expected == 0
        assert len(flight.completed(1)) == 3
