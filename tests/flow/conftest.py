"""Messages on their way through the world."""

import base64
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.test import Client

from mms.models import Message
from tests.wire import Drive, report_body


@pytest.fixture
def send(post: Callable[[str], bytes]) -> Callable[..., Message]:
    """Sends the template to a number, with these further elements in the request."""

    def send(extra: str = "", to: str = "14044790000") -> Message:
        answer = post(
            "<request><action>sendSavedMMS</action><api-key>qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlZ</api-key>"
            f"<to>{to}</to><from>28444</from><service-id>12345</service-id><mms-id>35674</mms-id>{extra}</request>"
        )
        assert b"<status>Success</status>" in answer, answer
        return Message.objects.latest("pk")

    return send


@pytest.fixture
def reported(world: SimpleNamespace) -> Callable[..., int]:
    """Delivers a report of the carrier's MMSC; the HTTP status of our answer."""

    def reported(message_id: str, status: str, handset: str | None = None, number: str = "14044790000") -> int:
        answer = Client().post(
            "/mm7/att",
            report_body(message_id, number, status, handset),
            content_type="text/xml; charset=utf-8",
            headers={"authorization": "Basic " + base64.b64encode(b"mmsc:report-secret").decode()},
        )
        return answer.status_code

    return reported


@pytest.fixture
def drive() -> Drive:
    return Drive()
