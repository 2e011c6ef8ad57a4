"""Whatever comes in at the other doors: never an HTTP 500; what is accepted as JSON is stored as it was sent."""

import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mms.api.dialects import SINCH_JSON, SKYCORE_GET
from mms.api.errors import CATALOGUE
from mms.models import Message
from tests.api.dialect_requests import JSON, PAIRS, get
from tests.api.documents import KEY

fuzzed = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(SINCH_JSON.known_names)) | st.text(max_size=5), inside, max_size=3)
    ),
    max_leaves=8,
)
# A dry run and a repeat succeed without storing a message.
CHANGED_NAMES = sorted(SINCH_JSON.known_names - {"x-api-key", "dry-run", "idempotency-key"})
CHANGES = st.dictionaries(st.sampled_from(CHANGED_NAMES), ANYTHING, max_size=3)
CHANGED_QUERIES = st.dictionaries(st.sampled_from(sorted(SKYCORE_GET.known_names)), st.text(max_size=9)).map(
    lambda pairs: urlencode({**PAIRS, **pairs}, errors="replace")
)

PRINTABLE = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
TAGS = st.text(PRINTABLE, min_size=1, max_size=9).filter(lambda name: name.strip() == name)


def answered(body: bytes) -> dict[str, Any]:
    reply = Client().generic("POST", "/ep/v2/", body, headers={"x-api-key": KEY})
    assert reply.status_code == 200
    said: dict[str, Any] = json.loads(reply.content)
    assert said["status"] == "Success" or said["error-code"] in CATALOGUE
    return said


@fuzzed
@given(st.binary() | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_bytes_of_any_kind_are_answered_with_a_failure(world: SimpleNamespace, body: bytes) -> None:
    assert answered(body)["status"] == "Failure"


@fuzzed
@given(CHANGES)
def test_a_changed_json_request_is_refused_or_stored(world: SimpleNamespace, changes: dict[str, Any]) -> None:
    before = Message.objects.count()
    said = answered(json.dumps({**JSON, **changes, "action": "sendSavedMMS"}).encode())
    assert Message.objects.count() - before == (said["status"] == "Success")


@fuzzed
@given(st.dictionaries(TAGS, st.text("aé日😀\n{}", max_size=30), max_size=4))
def test_data_of_a_json_request_is_stored_as_it_was_sent(world: SimpleNamespace, data: dict[str, str]) -> None:
    data = {name.casefold(): text for name, text in data.items()}
    body = {name: value for name, value in JSON.items() if name not in {"data", "fallback-sms-text"}}
    assert answered(json.dumps({**body, "data": data}).encode())["status"] == "Success"
    assert Message.objects.latest("pk").data == {name: text.strip() for name, text in data.items()}


@fuzzed
@given(st.text(max_size=50) | CHANGED_QUERIES)
def test_a_query_of_any_kind_is_answered(world: SimpleNamespace, query: str) -> None:
    assert b"<STATUS>" in get(query)
