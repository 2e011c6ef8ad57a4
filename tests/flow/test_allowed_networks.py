"""Submits and postbacks reach private addresses only in the networks of their own purpose."""

from collections.abc import Callable

import pytest
from pytest_django import Settings

from mms.models import Message, Postback
from mms.runtime.http_client import Purpose
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers

Send = Callable[..., Message]


@pytest.mark.parametrize("allowed", Purpose)
def test_submits_and_postbacks_keep_to_their_networks(
    settings: Settings,
    allowed: Purpose,
    send: Send,
    run_workers: RunWorkers,
    mmsc: ScriptedServer,
    customer: ScriptedServer,
) -> None:
    for purpose in Purpose:
        setattr(settings, purpose, ["127.0.0.0/8"] if purpose is allowed else [])
    message = send()
    times = {"created_at": message.created_at, "due_at": message.due_at}
    Postback.objects.create(account=message.account, message=message, code="N101", fields={}, **times)
    run_workers()
    assert (len(mmsc.received), bool(customer.received)) == (allowed is Purpose.MMSC, allowed is Purpose.POSTBACK)
