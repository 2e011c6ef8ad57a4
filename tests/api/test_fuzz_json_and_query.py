"""Random JSON and query strings: never an HTTP 500; accepted JSON is stored unchanged."""

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


def post_json(body: bytes) -> dict[str, Any]:
    reply = Client().generic("POST", "/ep/v2/", body, headers={"x-api-key": KEY})
    assert reply.status_code == 200
    answer: dict[str, Any] = json.loads(reply.content)
    assert answer["status"] == "Success" or answer["error-code"] in CATALOGUE
    return answer


@fuzzed
@given(st.binary() | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_random_bytes_get_a_failure(records: SimpleNamespace, body: bytes) -> None:
    assert post_json(body)["status"] == "Failure"


@fuzzed
@given(CHANGES)
def test_mutated_json_request_is_refused_or_stored(records: SimpleNamespace, changes: dict[str, Any]) -> None:
    before = Message.objects.count()
    answer = post_json(json.dumps({**JSON, **changes, "action": "sendSavedMMS"}).encode())
    assert Message.objects.count() - before == (answer["status"] == "Success")


@fuzzed
@given(st.dictionaries(TAGS, st.text("aé日😀\n{}", max_size=30), max_size=4))
def test_json_data_is_stored_unchanged(records: SimpleNamespace, data: dict[str, str]) -> None:
    data = {name.casefold(): text for name, text in data.items()}
    body = {name: value for name, value in JSON.items() if name not in {"data", "fallback-sms-text"}}
    assert post_json(json.dumps({**body, "data": data}).encode())["status"] == "Success"
    assert Message.objects.latest("pk").data == {name: text.strip() for name, text in data.items()}


@fuzzed
@given(st.text(max_size=50) | CHANGED_QUERIES)
def test_random_query_is_answered(records: SimpleNamespace, query: str) -> None:
    assert b"<STATUS>" in get(query)
