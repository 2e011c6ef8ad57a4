"""sendMMS: content is stored, encoded if necessary, and sent."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from billing import ledger
from billing.models import Balance, Price
from mms.content import deletion
from mms.encoding import worker
from mms.models import Medium, Message, Postback, Template
from tests.api.dialect_requests import post
from tests.api.documents import KEY, SEND, Elements, file
from tests.flow.media import CallApi, Save, child, slide
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers, event_kinds, postback_codes

SEND_NEW: Elements = {**SEND, "mms-id": None, "action": "sendMMS", "name": "Song", "message-subject": "A song"}


def test_sendmms_stores_and_sends_content(
    call_api: CallApi, web: ScriptedServer, run_workers: RunWorkers, mmsc: ScriptedServer, records: SimpleNamespace
) -> None:
    answer = call_api({**SEND_NEW, "slide": "<message-text>Hello {{name|you}}</message-text>"})
    message = Message.objects.get()
    assert answer == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<response><status>Success</status>'
        b"<mms-id>%d</mms-id><tracking-id>%s</tracking-id><to>14044790000</to><from>28444</from>"
        b"<status-details>MMS request accepted and queued for delivery</status-details></response>"
        % (message.template_id, message.tracking_id.encode())
    )
    run_workers()
    assert b"Hello you" in mmsc.received[0].body
    assert b"<Subject>A song</Subject>" in mmsc.received[0].body
    assert postback_codes(message) == ["N101"]


def test_sendmms_with_audio_waits_for_its_encoding(
    call_api: CallApi, web: ScriptedServer, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    call_api({**SEND_NEW, "slide": slide("audio", web)})
    run_workers()
    assert mmsc.received == []
    worker.run()
    run_workers()
    message = Message.objects.get()
    assert b"Content-Type: audio/amr" in mmsc.received[0].body
    assert (event_kinds(message), postback_codes(message)) == (
        ["accepted", "encoded", "adapted", "submitted"],
        ["N013", "N101"],
    )


def test_sendmms_with_encoded_audio_is_sent_at_once(
    call_api: CallApi, save: Save, web: ScriptedServer, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    save("audio")
    worker.run()
    call_api({**SEND_NEW, "slide": slide("audio", web)})
    run_workers()
    assert len(mmsc.received) == 1
    assert postback_codes(Message.objects.get()) == ["N013", "N101"]


def test_skycore_sendmms_needs_no_service(records: SimpleNamespace) -> None:
    sent = (
        f"<REQUEST><ACTION>sendMMS</ACTION><API_KEY>{KEY}</API_KEY><TO>14044790000</TO><FROM>28444</FROM>"
        "{name}<SUBJECT>A song</SUBJECT><SLIDE><TEXT>Hello</TEXT></SLIDE></REQUEST>"
    )
    assert b"<ERRORCODE>E301</ERRORCODE>" in post("/API/wxml/1.3/", sent.format(name="").encode(), "")[1]
    assert b"<STATUS>Success</STATUS>" in post("/API/wxml/1.3/", sent.format(name="<NAME>a</NAME>").encode(), "")[1]
    message = Message.objects.get()
    assert (message.service, message.template.slides.get().duration) == (None, 5)


def test_sendmms_expires_at_the_requested_time(call_api: CallApi, web: ScriptedServer) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    call_api({**SEND_NEW, "slide": slide("audio", web), "mms-expiry-timestamp": soon.isoformat()})
    message = Message.objects.get()
    assert (message.status, message.due_at, message.expires_at) == ("encoding", soon, soon)


def test_sendmms_with_a_failed_encoding_costs_nothing(
    call_api: CallApi, web: ScriptedServer, run_workers: RunWorkers, customer: ScriptedServer, records: SimpleNamespace
) -> None:
    Price.objects.create(message_class="mms", amount=50)
    ledger.top_up(records.account, 1000, "", datetime.now(UTC))
    call_api({**SEND_NEW, "slide": slide("audio", web)})
    worker.run(child=child("raise SystemExit(1)"))
    run_workers()
    message = Message.objects.get()
    assert (message.status, postback_codes(message)) == ("failed", ["E012", "E101"])
    postback = message.postbacks.first()
    assert postback
    assert (postback.fields["audio-name"], postback.fields["tracking-id"]) == (f"{web.url}/a", message.tracking_id)
    assert (Balance.objects.get().balance, Balance.objects.get().reserved, ledger.reconcile()) == (1000, 0, [])


@pytest.mark.parametrize(("code", "expected"), [("", "N013"), ("raise SystemExit(1)", "E012")])
def test_sendmms_expired_before_its_encoding_reports_both(
    call_api: CallApi, web: ScriptedServer, run_workers: RunWorkers, code: str, expected: str
) -> None:
    call_api({**SEND_NEW, "slide": slide("audio", web)})
    run_workers(datetime.now(UTC) + timedelta(days=3, seconds=1))
    message = Message.objects.get()
    assert (message.status, postback_codes(message)) == ("failed", ["E101"])
    worker.run(child=child(code)) if code else worker.run()
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("failed", ["E101", expected])
    assert not Postback.objects.filter(message=None).exists()


def test_sendmms_without_funds_stores_nothing(
    call_api: CallApi, web: ScriptedServer, records: SimpleNamespace, settings: SimpleNamespace, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    Price.objects.create(message_class="mms", amount=50)
    answer = call_api({**SEND_NEW, "slide": slide("audio", web)})
    assert b"<error-code>E713</error-code>" in answer
    assert (Template.objects.count(), Medium.objects.count(), Message.objects.count()) == (1, 1, 0)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": None}, "E110"),
        ({"from": None}, "E111"),
        ({"name": None}, "E311"),
        ({"slide": None}, "E312"),
        ({"message-subject": "\u4f60"}, "E314"),
        ({"service-id": None}, "E627"),
        ({"to": "442071838750"}, "E111"),
    ],
)
def test_sendmms_validates_before_fetching_media(
    call_api: CallApi, web: ScriptedServer, change: Elements, code: str
) -> None:
    assert f"<error-code>{code}</error-code>".encode() in call_api({**SEND_NEW, "slide": slide("audio", web), **change})
    assert web.received == []


def test_repeated_sendmms_is_sent_once(call_api: CallApi, web: ScriptedServer) -> None:
    elements: Elements = {**SEND_NEW, "slide": slide("audio", web), "idempotency-key": "song 1"}
    assert call_api(elements) == call_api(elements)
    assert (Message.objects.count(), Template.objects.count(), len(web.received)) == (1, 2, 1)


def test_dry_run_of_sendmms_stores_nothing(
    call_api: CallApi, save: Save, web: ScriptedServer, settings: SimpleNamespace, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    elements: Elements = {**SEND_NEW, "slide": slide("audio", web), "dry-run": "true"}
    unencoded = call_api(elements)
    assert b"Its audio and video must be encoded before their size is known</status-details>" in unencoded
    assert b"<postbacks>N013 N101 N102</postbacks>" in unencoded
    assert (Message.objects.count(), Template.objects.count(), Medium.objects.count()) == (0, 1, 1)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    save("audio")
    worker.run()
    assert b"<type>audio/amr</type><bytes>" in call_api(elements)


@pytest.mark.usefixtures("public_loopback")
def test_dry_run_of_sendmms_refuses_an_invalid_file(call_api: CallApi, web: ScriptedServer) -> None:
    web.default = file(b"Hello", "audio/mpeg")
    assert b"<error-code>E629</error-code>" in call_api({**SEND_NEW, "slide": slide("audio", web), "dry-run": "true"})


def test_content_of_sendmms_is_removed_after_its_last_message(
    call_api: CallApi, web: ScriptedServer, run_workers: RunWorkers, settings: SimpleNamespace, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    call_api({**SEND_NEW, "slide": slide("audio", web)})
    worker.run()
    run_workers()
    message = Message.objects.get()
    saved = f"<mms-id>{message.template_id}</mms-id>"
    sent_at = datetime.now(UTC)
    run_workers(sent_at + deletion.KEPT_AFTER_LAST_MESSAGE + timedelta(minutes=1))  # it ended 3 days after the accept
    assert Template.objects.get(pk=message.template_id).deleted_at is None
    Message.objects.update(final_at=sent_at + timedelta(days=3))
    run_workers(sent_at + timedelta(days=9))
    assert Template.objects.get(pk=message.template_id).deleted_at is None
    assert saved.encode() in call_api({"action": "getMMSTemplates", "api-key": KEY})
    end = sent_at + timedelta(days=3) + deletion.KEPT_AFTER_LAST_MESSAGE + deletion.RECHECK_DELAY
    for days in range(3):
        run_workers(end + timedelta(days=days))
    template = Template.objects.get(pk=message.template_id)
    assert (template.deleted_at is not None, template.slides.count(), template.due_at) == (True, 0, None)
    assert not Medium.objects.filter(kind="audio").exists()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert saved.encode() not in call_api({"action": "getMMSTemplates", "api-key": KEY})
    assert Template.objects.get(deleted_at=None).name == "Spring"  # stored by saveMMS
