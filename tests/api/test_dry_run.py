"""dry-run: everything is checked and foretold, nothing is sent, charged or stored."""

import json
import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.test import Client
from django.utils import timezone

from billing import ledger
from billing.models import Balance, BlockedNumber, Price
from handsets import cache
from handsets.models import CachedHandset
from mms.api.actions import ACTIONS
from mms.models import Message, Template
from mms.rendering import compose
from tests.api.documents import KEY, NUMBER, SAVE, SEND, Elements, failure, request
from tests.scripted import Scripted
from tests.wire import IPHONE, Drive

KEY_HEADER = {"x-api-key": KEY}
DDM = {"ddm-message-text": "What is your telephone?"}


def rows() -> dict[str, int]:
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def post(elements: Elements) -> bytes:
    return bytes(Client().post("/ep/v1/", request(elements), content_type="text/xml").content)


def dry(**more: str) -> bytes:
    return post({**SEND, "dry-run": "true", **{name.replace("_", "-"): text for name, text in more.items()}})


def said(answer: bytes, name: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", answer.decode())
    return found[1] if found else ""


def saw(identity: str = IPHONE, **ago: float) -> None:
    cache.record_sighting(NUMBER, identity, CachedHandset.Source.DELIVERY_REPORT, timezone.now() - timedelta(**ago))


@pytest.fixture
def priced(world: SimpleNamespace) -> SimpleNamespace:
    Price.objects.create(message_class="mms", amount=50_000)
    Price.objects.create(message_class="ddm", amount=10_000)
    ledger.top_up(world.account, 1_000_000, "", timezone.now())
    return world


def test_all_is_foretold_and_nothing_is_stored(priced: SimpleNamespace, mmsc: Scripted) -> None:
    post(SEND)  # the account, the key and the balance have been used before
    Message.objects.update(due_at=None, status="failed")
    before = rows()
    answer = dry(idempotency_key="a", device="unheard-of", **DDM)
    assert answer == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<response><status>Success</status><mms-id>35674</mms-id>'
        b"<to>14044790000</to><from>28444</from>"
        b"<status-details>The request is valid; nothing was sent, charged or stored</status-details>"
        b"<route>MMS</route><operator-id>31002</operator-id><carrier>AT&amp;T</carrier><ddm>true</ddm>"
        b"<price>0.06</price><reserved>0.06</reserved><postbacks>N501 N502 N101 N102</postbacks></response>"
    )
    Drive()()
    assert (rows(), mmsc.received) == (before, [])


def test_a_known_handset_is_named_with_its_age_and_needs_no_ddm(priced: SimpleNamespace) -> None:
    saw(hours=2)
    answer = dry(**DDM)
    assert (said(answer, "handset"), said(answer, "ddm")) == (IPHONE, "false")
    assert 7200 <= int(said(answer, "handset-age")) < 7260
    assert (said(answer, "price"), said(answer, "reserved")) == ("0.05", "0.06")
    assert said(answer, "postbacks") == "N101 N102"
    assert said(dry(ddm_force="true", **DDM), "ddm") == "true"


def test_a_handset_that_was_seen_too_long_ago_is_not_known(priced: SimpleNamespace) -> None:
    saw(days=181)
    answer = dry(**DDM)
    assert (said(answer, "handset"), said(answer, "ddm")) == ("", "true")


def test_an_original_that_goes_out_as_it_is_and_a_rendition_that_exists_are_named(priced: SimpleNamespace) -> None:
    original = f"<slide>1</slide><type>image/jpeg</type><bytes>{priced.medium.size}</bytes>"
    saw()
    assert said(dry(), "rendition") == original
    CachedHandset.objects.all().delete()
    assert said(dry(), "rendition") == ""
    post(SEND)
    compose.compose(Message.objects.get())
    made = priced.medium.renditions.get()
    assert said(dry(), "rendition") == f"<slide>1</slide><type>image/jpeg</type><bytes>{made.size}</bytes>"


def test_content_that_cannot_fit_is_foretold(priced: SimpleNamespace) -> None:
    type(priced.carrier).objects.update(message_bytes=500)
    answer = dry()
    assert (said(answer, "route"), said(answer, "postbacks"), said(answer, "rendition")) == ("none", "E101", "")
    assert said(answer, "status-details").startswith(
        "The request is valid; nothing was sent, charged or stored. It would fail: 1 picture and "
    )
    assert (said(answer, "price"), said(answer, "reserved")) == ("0.00", "0.05")
    assert (said(dry(**DDM), "price"), said(dry(**DDM), "reserved")) == ("0.01", "0.06")


def test_content_that_cannot_fit_costs_what_was_foretold(priced: SimpleNamespace, mmsc: Scripted) -> None:
    type(priced.carrier).objects.update(message_bytes=500)
    foretold = said(dry(), "price")
    post(SEND)
    Drive()()
    assert (Message.objects.get().status, foretold) == ("failed", "0.00")
    balance = Balance.objects.get()
    assert (balance.balance, balance.reserved) == (1_000_000, 0)


def test_without_a_postback_url_none_is_expected(priced: SimpleNamespace) -> None:
    type(priced.account).objects.update(postback_url="")
    assert b"postbacks" not in dry()


def test_what_would_be_refused_is_refused(priced: SimpleNamespace) -> None:
    ledger.adjust(priced.account, -990_000, "", timezone.now())
    before = rows()
    refusal = "The account's funds do not cover this message (up to 0.05 USD); top up the account and send it again"
    assert dry() == post(SEND) == failure("E713", refusal, NUMBER)
    BlockedNumber.objects.create(number=NUMBER)
    assert dry() == failure("E114", "The recipient is on the platform's block list", NUMBER)
    assert rows() == {**before, "billing.BlockedNumber": 1}


def test_it_is_true_or_false(world: SimpleNamespace) -> None:
    assert dry(dry_run="maybe") == failure("E100", "dry-run must be true or false", NUMBER)
    assert b"<tracking-id>" in dry(dry_run="false")


@pytest.mark.parametrize("action", sorted(ACTIONS.keys() - {"sendsavedmms", "sendmms"}))
def test_an_action_that_has_none_does_nothing(priced: SimpleNamespace, action: str) -> None:
    post({"action": "loginUser", "api-key": KEY})  # the key has been used before
    before = rows()
    asked = {**SAVE, "action": action, "mms-id": "35674", "since": "2026-11-22", "dry-run": "true"}
    assert post(asked) == failure("E100", f"{action} does not support dry-run; nothing was done")
    assert (rows(), Template.objects.get().deleted_at) == (before, None)
    assert b"dry-run" not in post({**asked, "dry-run": "false"})


def test_it_neither_uses_nor_repeats_an_idempotency_key(world: SimpleNamespace) -> None:
    assert b"<route>MMS</route>" in dry(idempotency_key="a")
    first = post({**SEND, "idempotency-key": "a"})
    assert b"<tracking-id>" in first
    assert b"<route>MMS</route>" in dry(idempotency_key="a")
    assert Message.objects.count() == 1


def test_the_other_dialects_have_it_too(priced: SimpleNamespace) -> None:
    saw()
    asked = {"action": "sendSavedMMS", "to": NUMBER, "from": "28444", "service-id": "12345", "mms-id": "35674"}
    answer = Client().post("/ep/v2/", json.dumps({**asked, "dry-run": True}), "application/json", headers=KEY_HEADER)
    foretold = answer.json()
    assert (foretold["route"], foretold["renditions"][0]["bytes"]) == ("MMS", priced.medium.size)
    assert foretold["ddm"] is False
    pairs = {"action": "sendSavedMMS", "api_key": KEY, "to": NUMBER, "from": "28444", "mmsid": "35674", "dryrun": "yes"}
    assert b"<ROUTE>MMS</ROUTE>" in Client().get("/API/wxml/1.3/", pairs).content
    assert not Message.objects.exists()
