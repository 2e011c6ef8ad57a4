"""Messages on their way through the world."""

import base64
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from django.test import Client

from mms.models import Message, Template
from tests.adaptation.clips import sound
from tests.api.documents import SAVE, Elements, file, request
from tests.flow.media import Ask, Save, slide
from tests.scripted import Scripted, serving
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


@pytest.fixture
def web() -> Iterator[Scripted]:
    with serving(file(sound(), "audio/mpeg")) as server:
        yield server


@pytest.fixture
def ask(world: SimpleNamespace) -> Ask:
    def ask(elements: Elements) -> bytes:
        return bytes(Client().post("/ep/v1/", request(elements), content_type="text/xml").content)

    return ask


@pytest.fixture
def save(ask: Ask, web: Scripted) -> Save:
    """Saves a template of one slide for each of these elements."""

    def save(*names: str) -> Template:
        answer = ask({**SAVE, "slide": [slide(name, web) for name in names]})
        assert b"<status>Success</status>" in answer, answer
        return Template.objects.latest("pk")

    return save
