"""One send request end to end: the answer, the DDM, the submit, the postbacks."""

import email
import hashlib
import hmac
import io
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

from lxml import etree
from PIL import Image

from handsets.models import CachedHandset
from mms.models import Message
from tests.scripted import ScriptedServer
from tests.wire import IPHONE, SEED, RunWorkers, event_kinds, postback_codes

Post = Callable[[str], bytes]
SendReport = Callable[..., int]


def mm7_parts(sent: bytes, content_type: str) -> tuple[str, dict[str, bytes]]:
    """Return the envelope of a submit and its parts by Content-Location, parsed by the standard library."""
    message = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + sent)
    _, envelope, _, *leaves = message.walk()
    parts = {str(part["Content-Location"]): part.get_payload(decode=True) for part in leaves}
    return cast(bytes, envelope.get_payload(decode=True)).decode(), cast(dict[str, bytes], parts)


def test_message_is_delivered_after_a_discovery(
    records: SimpleNamespace,
    post: Post,
    run_workers: RunWorkers,
    send_report: SendReport,
    mmsc: ScriptedServer,
    customer: ScriptedServer,
) -> None:
    answer = post(SEED)
    message = Message.objects.get()
    assert answer == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<response><status>Success</status><mms-id>35674</mms-id>'
        b"<tracking-id>" + message.tracking_id.encode() + b"</tracking-id><to>14044790000</to><from>28444</from>"
        b"<status-details>MMS request accepted and queued for delivery</status-details></response>"
    )

    run_workers()
    message.refresh_from_db()
    assert message.status == "discovering"
    envelope, parts = mm7_parts(mmsc.received[0].body, mmsc.received[0].headers["content-type"])
    assert "<Subject>We are detecting your handset</Subject>" in envelope
    assert parts == {
        "text.txt": b"This message is free of charge and will allow us to deliver your content nice and smooth"
    }

    assert send_report("M1", "Retrieved", IPHONE) == 200
    assert CachedHandset.objects.get().handset == records.iphone
    run_workers()
    assert send_report("M2", "Retrieved", IPHONE) == 200
    run_workers()

    message.refresh_from_db()
    assert message.status == "delivered"
    assert message.handset == records.iphone
    assert event_kinds(message) == [
        "accepted", "discovering", "ddm-sent", "ddm-delivered", "adapted", "submitted", "delivered"
    ]  # fmt: skip
    assert postback_codes(message) == ["N501", "N502", "N101", "N102"]
    assert [code_of(sent.body) for sent in customer.received] == [b"N501", b"N502", b"N101", b"N102"]
    assert len(mmsc.received) == 2


def code_of(body: bytes) -> bytes:
    found = re.search(rb"<code>(.*?)</code>", body)
    assert found
    return found[1]


def test_submitted_content_is_adapted_and_customized(
    post: Post, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    post(SEED)
    run_workers()
    send_report("M1", "Retrieved", IPHONE)
    run_workers()
    envelope, parts = mm7_parts(mmsc.received[1].body, mmsc.received[1].headers["content-type"])
    assert "<Subject>My custom subject</Subject>" in envelope
    assert "<ShortCode>28444</ShortCode>" in envelope
    assert "<DeliveryReport>true</DeliveryReport>" in envelope
    assert sorted(parts) == ["message.smil", "slide1.jpg", "slide1.txt", "slide2.txt"]
    assert parts["slide1.txt"] == b"My custom text in first slide"
    assert parts["slide2.txt"] == b"Your number is XYZ23456."
    assert Image.open(io.BytesIO(parts["slide1.jpg"])).size == (800, 600)
    smil = etree.fromstring(parts["message.smil"])
    assert [par.get("dur") for par in smil.iter("par")] == ["10000ms", "5000ms"]


def test_postback_has_exact_body_and_valid_signature(
    records: SimpleNamespace, post: Post, run_workers: RunWorkers, send_report: SendReport, customer: ScriptedServer
) -> None:
    post(SEED)
    run_workers()
    send_report("M1", "Retrieved", IPHONE)
    run_workers()
    message = Message.objects.get()
    at = message.postbacks.get(code="N502").fields["timestamp"]
    sent = customer.received[1]
    assert sent.headers["content-type"] == "text/xml; charset=utf-8"
    assert sent.body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<postback><origin>MMS_MT</origin><code>N502</code>'
        "<sent-as>MMS</sent-as><status>Message Sent/Delivered</status><mms-id>35674</mms-id><from>28444</from>"
        f"<to>14044790000</to><tracking-id>{message.tracking_id}</tracking-id><operator-id>31002</operator-id>"
        f"<timestamp>{at}</timestamp><handset>{IPHONE}</handset></postback>"
    )
    signed = sent.headers["x-mms-timestamp"].encode() + b"." + sent.body
    expected = hmac.new(records.account.signing_secret.encode(), signed, hashlib.sha256).hexdigest()
    assert sent.headers["x-mms-signature"] == f"v1={expected}"
    assert [s.headers["x-mms-sequence"] for s in customer.received] == ["1", "2", "3"]
    assert {s.headers["x-mms-attempt"] for s in customer.received} == {"1"}
