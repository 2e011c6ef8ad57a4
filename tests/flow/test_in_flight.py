"""Requests in flight: replies that arrive while the worker is busy."""

import time

from mms.runtime.http_client import Purpose, Reply, Request
from mms.runtime.in_flight import InFlight
from tests.processes.platform_under_test import eventually
from tests.scripted import Response, serving


def test_reply_to_a_busy_worker_does_not_time_out() -> None:
    timeout = 0.5
    with serving(Response(body=b"accepted")) as mmsc, InFlight[str](1, Purpose.POSTBACK) as in_flight:
        mmsc.answering.clear()
        in_flight.launch("submit", Request(mmsc.url, b"content", {}, timeout))
        eventually(lambda: in_flight.completed(0.01) == [] and mmsc.received)
        mmsc.answering.set()
        busy_until = time.monotonic() + timeout
        eventually(lambda: time.monotonic() > busy_until)
        [(_, result)] = in_flight.completed(1)
    assert isinstance(result, Reply)
    assert result.body == b"accepted"


def test_completed_requests_of_a_slow_server_share_a_batch() -> None:
    with serving(Response(body=b"accepted")) as mmsc, InFlight[int](3, Purpose.POSTBACK, slow=0.0) as in_flight:
        for number in range(3):
            in_flight.launch(number, Request(mmsc.url, b"content", {}, 5.0))
        eventually(lambda: len(in_flight._completed) == 3)
        assert in_flight.expected == 0
        assert len(in_flight.completed(1)) == 3
