"""Fixtures for tests of the customer API."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from django.test import Client

from mms.runtime.http_client import Purpose
from mms.runtime.in_flight import InFlight


@pytest.fixture
def call_api(records: SimpleNamespace) -> Callable[[bytes], bytes]:
    """Post a request in Sinch XML and return the bytes of the answer."""

    def call_api(body: bytes) -> bytes:
        reply = Client().post("/ep/v1/", body, content_type="text/xml")
        assert (reply.status_code, reply["Content-Type"]) == (200, "text/xml; charset=utf-8")
        return bytes(reply.content)

    return call_api


@pytest.fixture
def in_flight() -> Iterator[InFlight[str]]:
    with InFlight[str](10, Purpose.POSTBACK) as in_flight:
        yield in_flight
