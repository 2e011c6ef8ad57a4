"""The examples in docs/api.md that verify the signature of a postback."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils.datastructures import CaseInsensitiveMapping

from billing import secret_rotation
from mms.models import Message
from mms.postbacks import signed_request
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers

API = (Path(__file__).parents[2] / "docs" / "api.md").read_text()

Genuine = Callable[[CaseInsensitiveMapping[str], bytes, str], bool]


def documented(language: str) -> str:
    """Return the example in the language."""
    (code,) = re.findall(rf"```{language}\n(.*?genuine.*?)```", API, re.DOTALL)
    return str(code)


@pytest.fixture
def genuine() -> Genuine:
    """Return the function of the Python example."""
    namespace: dict[str, Any] = {}
    exec(documented("python"), namespace)
    check: Genuine = namespace["genuine"]
    return check


def test_postback_verifies_with_its_secret_only(
    records: SimpleNamespace,
    send: Callable[..., Message],
    run_workers: RunWorkers,
    customer: ScriptedServer,
    genuine: Genuine,
) -> None:
    send()
    run_workers()
    (sent,) = customer.received
    headers, secret = CaseInsensitiveMapping(sent.headers), records.account.signing_secret
    assert genuine(headers, sent.body, secret)
    assert not genuine(headers, sent.body + b" ", secret)
    assert not genuine(headers, sent.body, "another secret")


def test_postback_verifies_with_both_secrets_during_rotation(
    records: SimpleNamespace,
    send: Callable[..., Message],
    run_workers: RunWorkers,
    customer: ScriptedServer,
    genuine: Genuine,
) -> None:
    old = records.account.signing_secret
    secret_rotation.rotate(records.account)
    records.account.refresh_from_db()
    send()
    run_workers()
    (sent,) = customer.received
    headers = CaseInsensitiveMapping(sent.headers)
    assert genuine(headers, sent.body, old)
    assert genuine(headers, sent.body, records.account.signing_secret)
    assert not genuine(headers, sent.body, "another secret")


def test_replayed_signature_does_not_verify(
    records: SimpleNamespace,
    send: Callable[..., Message],
    run_workers: RunWorkers,
    customer: ScriptedServer,
    genuine: Genuine,
) -> None:
    send()
    run_workers()
    (sent,) = customer.received
    timestamp = str(int(sent.headers["x-mms-timestamp"]) - 301)
    body, secret = sent.body, records.account.signing_secret
    headers = CaseInsensitiveMapping(
        {"x-mms-timestamp": timestamp, "x-mms-signature": f"v1={signed_request.sign(secret, timestamp, body)}"}
    )
    assert not genuine(headers, body, secret)


@pytest.mark.parametrize("language", ["php", "ruby"])
def test_php_and_ruby_examples_use_the_same_headers(language: str) -> None:
    assert {"HTTP_X_MMS_TIMESTAMP", "HTTP_X_MMS_SIGNATURE"} == set(re.findall(r"HTTP_\w+", documented(language)))
