"""The checks of a signature that the documents show."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils.datastructures import CaseInsensitiveMapping

from billing import signing
from mms.models import Message
from mms.postbacks import notifier
from tests.scripted import Scripted
from tests.wire import Drive

API = (Path(__file__).parents[2] / "docs" / "api.md").read_text()

Genuine = Callable[[CaseInsensitiveMapping[str], bytes, str], bool]


def documented(language: str) -> str:
    """The check in that language."""
    (code,) = re.findall(rf"```{language}\n(.*?genuine.*?)```", API, re.DOTALL)
    return str(code)


@pytest.fixture
def genuine() -> Genuine:
    """The check in Python, as a reader would paste it."""
    pasted: dict[str, Any] = {}
    exec(documented("python"), pasted)
    check: Genuine = pasted["genuine"]
    return check


def test_a_postback_is_genuine_under_its_secret_alone(
    world: SimpleNamespace, send: Callable[..., Message], drive: Drive, customer: Scripted, genuine: Genuine
) -> None:
    send()
    drive()
    (sent,) = customer.received
    headers, secret = CaseInsensitiveMapping(sent.headers), world.account.signing_secret
    assert genuine(headers, sent.body, secret)
    assert not genuine(headers, sent.body + b" ", secret)
    assert not genuine(headers, sent.body, "another secret")


def test_during_a_rotation_either_secret_will_do(
    world: SimpleNamespace, send: Callable[..., Message], drive: Drive, customer: Scripted, genuine: Genuine
) -> None:
    old = world.account.signing_secret
    signing.rotate(world.account)
    world.account.refresh_from_db()
    send()
    drive()
    (sent,) = customer.received
    headers = CaseInsensitiveMapping(sent.headers)
    assert genuine(headers, sent.body, old)
    assert genuine(headers, sent.body, world.account.signing_secret)
    assert not genuine(headers, sent.body, "another secret")


def test_a_postback_that_somebody_repeats_later_is_not_genuine(
    world: SimpleNamespace, send: Callable[..., Message], drive: Drive, customer: Scripted, genuine: Genuine
) -> None:
    send()
    drive()
    (sent,) = customer.received
    timestamp = str(int(sent.headers["x-mms-timestamp"]) - 301)
    body, secret = sent.body, world.account.signing_secret
    headers = CaseInsensitiveMapping(
        {"x-mms-timestamp": timestamp, "x-mms-signature": f"v1={notifier.sign(secret, timestamp, body)}"}
    )
    assert not genuine(headers, body, secret)


@pytest.mark.parametrize("language", ["php", "ruby"])
def test_the_other_languages_look_at_the_same_headers(language: str) -> None:
    assert {"HTTP_X_MMS_TIMESTAMP", "HTTP_X_MMS_SIGNATURE"} == set(re.findall(r"HTTP_\w+", documented(language)))
