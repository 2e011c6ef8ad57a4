"""Fixtures: send messages, run the workers, deliver reports, save content."""

import base64
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from django.test import Client

from mms.models import Message, Template
from tests.adaptation.clips import make_audio
from tests.api.documents import SAVE, Elements, file, request
from tests.flow.media import CallApi, Save, slide
from tests.scripted import ScriptedServer, serving
from tests.wire import RunWorkers, report_body


@pytest.fixture
def send(post: Callable[[str], bytes]) -> Callable[..., Message]:
    """Return a function that sends the template to a number, with further elements in the request."""

    def send(extra: str = "", to: str = "14044790000") -> Message:
        answer = post(
            "<request><action>sendSavedMMS</action><api-key>qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlZ</api-key>"
            f"<to>{to}</to><from>28444</from><service-id>12345</service-id><mms-id>35674</mms-id>{extra}</request>"
        )
        assert b"<status>Success</status>" in answer, answer
        return Message.objects.latest("pk")

    return send


@pytest.fixture
def send_report(records: SimpleNamespace) -> Callable[..., int]:
    """Return a function that delivers a report as the carrier's MMSC, and returns the HTTP status of the response."""

    def send_report(
        message_id: str,
        status: str,
        handset: str | None = None,
        number: str = "14044790000",
        date: str = "2026-11-22T12:00:00Z",
    ) -> int:
        answer = Client().post(
            "/mm7/att",
            report_body(message_id, number, status, handset, date),
            content_type="text/xml; charset=utf-8",
            headers={"authorization": "Basic " + base64.b64encode(b"mmsc:report-secret").decode()},
        )
        return answer.status_code

    return send_report


@pytest.fixture
def run_workers() -> RunWorkers:
    return RunWorkers()


@pytest.fixture
def web() -> Iterator[ScriptedServer]:
    with serving(file(make_audio(), "audio/mpeg")) as server:
        yield server


@pytest.fixture
def call_api(records: SimpleNamespace) -> CallApi:
    def call_api(elements: Elements) -> bytes:
        return bytes(Client().post("/ep/v1/", request(elements), content_type="text/xml").content)

    return call_api


@pytest.fixture
def save(call_api: CallApi, web: ScriptedServer) -> Save:
    """Return a function that saves a template with one slide for each of the elements."""

    def save(*names: str) -> Template:
        answer = call_api({**SAVE, "slide": [slide(name, web) for name in names]})
        assert b"<status>Success</status>" in answer, answer
        return Template.objects.latest("pk")

    return save
