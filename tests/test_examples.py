"""Every example request of docs/api.md is accepted, and its response has the documented names."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from django.db import transaction
from django.test import Client
from django.utils import timezone
from lxml import etree

from handsets import cache
from handsets.cache import Sighting
from handsets.models import CachedHandset
from mms.api.actions import ACTIONS
from mms.api.authorization import ALIASES
from mms.models import Message
from tests.api.documents import KEY, NUMBER, SEND, file, request
from tests.scripted import serving
from tests.wire import IPHONE, RunWorkers

DOCUMENT = Path(__file__).parent.parent / "docs/api.md"
FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REQUEST = re.compile(r'<request>|<REQUEST>|\{"action": |GET /')
ANSWER = re.compile(r'<response>|<RESPONSE>|\{"status": ')
ACTION = re.compile(r'(?:<action>|<ACTION>|"action": "|[?]action=)(\w+)')
TRACKING_ID = re.compile(r"TU1TXzU5Nzg3OQ(==|%3D%3D)")


def examples() -> Iterator[tuple[str, str]]:
    """Yield each request with the response that follows it."""
    requests: list[str] = []
    for block in FENCED.findall(DOCUMENT.read_text()):
        if REQUEST.match(block):
            requests.append(block)
        elif ANSWER.match(block):
            yield from ((each, block) for each in requests)
            requests = []
    assert not requests, "requests without a response"


def action(example: str) -> str:
    found = ACTION.search(example)
    assert found, example
    return ALIASES.get(found[1].lower(), found[1].lower())


def send(example: str) -> str:
    """Send the example to its endpoint and return the response."""
    client = Client()
    if example.startswith("GET "):
        reply = client.get("".join(example.split()[1:]))
    elif example.startswith("{"):
        reply = client.post("/ep/v2/", example, content_type="application/json", headers={"x-api-key": KEY})
    else:
        path = "/ep/v1/" if example.startswith("<request>") else "/API/wxml/1.3/"
        reply = client.post(path, example, content_type="text/xml")
    return str(reply.content.decode())


def names(document: str) -> set[str]:
    """Return the path of every name in a response."""
    if document.startswith("{"):
        return set(members(json.loads(document)))
    root = etree.fromstring(document.encode())
    return {re.sub(r"\[\d+\]", "", root.getroottree().getpath(element)) for element in root.iter()}


def members(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from members(item, path)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}/{name}"
            yield from members(inner, f"{path}/{name}")


def test_every_action_has_an_example_in_every_dialect() -> None:
    shown = {(action(example), example[: len("<request>")]) for example, _ in examples() if example[0] != "G"}
    actions = ACTIONS.keys() - ALIASES.keys()
    assert shown == {(name, begin) for name in actions for begin in ("<request>", "<REQUEST>", '{"action"')}


def test_every_example_gets_the_documented_response(records: SimpleNamespace) -> None:
    cache.record_sightings([Sighting(NUMBER, IPHONE, CachedHandset.Source.DELIVERY_REPORT, timezone.now())])
    Client().post("/ep/v1/", request(SEND), content_type="text/xml")
    RunWorkers()()
    tracking_id = Message.objects.get().tracking_id
    with serving(file()) as web:
        for example, shown in examples():
            ready = example.replace("...", KEY).replace("https://www.example.com", web.url)
            with transaction.atomic():
                answer = send(TRACKING_ID.sub(tracking_id, ready))
                transaction.set_rollback(True)
            assert re.search(r'"status": "Success"|<(status|STATUS)>Success', answer), (example, answer)
            assert names(answer) == names(shown), example
