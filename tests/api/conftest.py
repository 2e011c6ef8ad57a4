"""The customers' door."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.test import Client


@pytest.fixture
def answer(world: SimpleNamespace) -> Callable[[bytes], bytes]:
    """Posts a request; the answer's bytes."""

    def answer(body: bytes) -> bytes:
        reply = Client().post("/ep/v1/", body, content_type="text/xml")
        assert (reply.status_code, reply["Content-Type"]) == (200, "text/xml; charset=utf-8")
        return bytes(reply.content)

    return answer
