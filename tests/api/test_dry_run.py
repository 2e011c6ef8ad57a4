"""dry-run: everything is checked and previewed; nothing is sent, charged or stored."""

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
from handsets.cache import Sighting
from handsets.models import CachedHandset
from mms.api.actions import ACTIONS
from mms.models import Message, Template
from mms.rendering import compose
from tests.api.documents import KEY, NUMBER, SAVE, SEND, Elements, failure, request
from tests.scripted import ScriptedServer
from tests.wire import IPHONE, RunWorkers

KEY_HEADER = {"x-api-key": KEY}
DDM = {"ddm-message-text": "What is your telephone?"}


def row_counts() -> dict[str, int]:
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def post(elements: Elements) -> bytes:
    return bytes(Client().post("/ep/v1/", request(elements), content_type="text/xml").content)


def dry_run(**more: str) -> bytes:
    return post({**SEND, "dry-run": "true", **{name.replace("_", "-"): text for name, text in more.items()}})


def element(answer: bytes, name: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", answer.decode())
    return found[1] if found else ""


def record_handset(identity: str = IPHONE, **ago: float) -> None:
    seen = timezone.now() - timedelta(**ago)
    cache.record_sightings([Sighting(NUMBER, identity, CachedHandset.Source.DELIVERY_REPORT, seen)])


@pytest.fixture
def priced(records: SimpleNamespace) -> SimpleNamespace:
    Price.objects.create(message_class="mms", amount=50_000)
    Price.objects.create(message_class="ddm", amount=10_000)
    ledger.top_up(records.account, 1_000_000, "", timezone.now())
    return records


def test_dry_run_previews_everything_and_stores_nothing(priced: SimpleNamespace, mmsc: ScriptedServer) -> None:
    post(SEND)  # so that the dry run is not the first use of account, key and balance
    Message.objects.update(due_at=None, status="failed")
    before = row_counts()
    answer = dry_run(idempotency_key="a", device="unheard-of", **DDM)
    assert answer == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<response><status>Success</status><mms-id>35674</mms-id>'
        b"<to>14044790000</to><from>28444</from>"
        b"<status-details>The request is valid; nothing was sent, charged or stored</status-details>"
        b"<route>MMS</route><operator-id>31002</operator-id><carrier>AT&amp;T</carrier>"
        b"<profile>generic profile</profile><ddm>true</ddm>"
        b"<price>0.06</price><reserved>0.06</reserved><postbacks>N501 N502 N101 N102</postbacks></response>"
    )
    RunWorkers()()
    assert (row_counts(), mmsc.received) == (before, [])


def test_cached_handset_is_reported_and_needs_no_ddm(priced: SimpleNamespace) -> None:
    record_handset(hours=2)
    answer = dry_run(**DDM)
    assert (element(answer, "handset"), element(answer, "ddm")) == (IPHONE, "false")
    assert 7200 <= int(element(answer, "handset-age")) < 7260
    assert (element(answer, "price"), element(answer, "reserved")) == ("0.05", "0.06")
    assert element(answer, "postbacks") == "N101 N102"
    assert element(dry_run(ddm_force="true", **DDM), "ddm") == "true"


def test_expired_handset_is_unknown(priced: SimpleNamespace) -> None:
    record_handset(days=181)
    answer = dry_run(**DDM)
    assert (element(answer, "handset"), element(answer, "ddm")) == ("", "true")


def test_unchanged_original_and_cached_rendition_are_listed(priced: SimpleNamespace) -> None:
    original = f"<slide>1</slide><type>image/jpeg</type><bytes>{priced.medium.size}</bytes>"
    record_handset()
    assert element(dry_run(), "rendition") == original
    CachedHandset.objects.all().delete()
    assert element(dry_run(), "rendition") == ""
    post(SEND)
    compose.compose(Message.objects.get())
    made = priced.medium.renditions.get()
    assert element(dry_run(), "rendition") == f"<slide>1</slide><type>image/jpeg</type><bytes>{made.size}</bytes>"


def test_oversized_content_is_reported(priced: SimpleNamespace) -> None:
    type(priced.carrier).objects.update(message_bytes=500)
    answer = dry_run()
    assert (element(answer, "route"), element(answer, "postbacks"), element(answer, "rendition")) == (
        "none",
        "E101",
        "",
    )
    assert element(answer, "status-details").startswith(
        "The request is valid; nothing was sent, charged or stored. It would fail: 1 picture and "
    )
    assert (element(answer, "price"), element(answer, "reserved")) == ("0.00", "0.05")
    assert (element(dry_run(**DDM), "price"), element(dry_run(**DDM), "reserved")) == ("0.01", "0.06")


def test_oversized_content_costs_the_previewed_price(priced: SimpleNamespace, mmsc: ScriptedServer) -> None:
    type(priced.carrier).objects.update(message_bytes=500)
    preview = element(dry_run(), "price")
    post(SEND)
    RunWorkers()()
    assert (Message.objects.get().status, preview) == ("failed", "0.00")
    balance = Balance.objects.get()
    assert (balance.balance, balance.reserved) == (1_000_000, 0)


def test_account_without_postback_url_gets_no_postback_codes(priced: SimpleNamespace) -> None:
    type(priced.account).objects.update(postback_url="")
    assert b"postbacks" not in dry_run()


def test_dry_run_is_refused_like_the_real_request(priced: SimpleNamespace) -> None:
    ledger.adjust(priced.account, -990_000, "", timezone.now())
    before = row_counts()
    refusal = "The account's funds do not cover this message (up to 0.05 USD); top up the account and send it again"
    assert dry_run() == post(SEND) == failure("E713", refusal, NUMBER)
    BlockedNumber.objects.create(number=NUMBER)
    assert dry_run() == failure("E114", "The recipient is on the platform's block list", NUMBER)
    assert row_counts() == {**before, "billing.BlockedNumber": 1}


def test_dry_run_must_be_true_or_false(records: SimpleNamespace) -> None:
    assert dry_run(dry_run="maybe") == failure("E100", "dry-run must be true or false", NUMBER)
    assert b"<tracking-id>" in dry_run(dry_run="false")


@pytest.mark.parametrize("action", sorted(ACTIONS.keys() - {"sendsavedmms", "sendmms"}))
def test_action_without_dry_run_refuses_it_and_does_nothing(priced: SimpleNamespace, action: str) -> None:
    post({"action": "loginUser", "api-key": KEY})  # so that the next call is not the first use of the key
    before = row_counts()
    elements = {**SAVE, "action": action, "mms-id": "35674", "since": "2026-11-22", "dry-run": "true"}
    assert post(elements) == failure("E100", f"{action} does not support dry-run; nothing was done")
    assert (row_counts(), Template.objects.get().deleted_at) == (before, None)
    assert b"dry-run" not in post({**elements, "dry-run": "false"})


def test_dry_run_neither_uses_nor_repeats_an_idempotency_key(records: SimpleNamespace) -> None:
    assert b"<route>MMS</route>" in dry_run(idempotency_key="a")
    first = post({**SEND, "idempotency-key": "a"})
    assert b"<tracking-id>" in first
    assert b"<route>MMS</route>" in dry_run(idempotency_key="a")
    assert Message.objects.count() == 1


def test_dry_run_works_in_every_dialect(priced: SimpleNamespace) -> None:
    record_handset()
    elements = {"action": "sendSavedMMS", "to": NUMBER, "from": "28444", "service-id": "12345", "mms-id": "35674"}
    answer = Client().post("/ep/v2/", json.dumps({**elements, "dry-run": True}), "application/json", headers=KEY_HEADER)
    preview = answer.json()
    assert (preview["route"], preview["renditions"][0]["bytes"]) == ("MMS", priced.medium.size)
    assert preview["ddm"] is False
    pairs = {"action": "sendSavedMMS", "api_key": KEY, "to": NUMBER, "from": "28444", "mmsid": "35674", "dryrun": "yes"}
    assert b"<ROUTE>MMS</ROUTE>" in Client().get("/API/wxml/1.3/", pairs).content
    assert not Message.objects.exists()
