"""Left-out parts: reported to the customer, and refused where the content has no others."""

import re
from types import SimpleNamespace

import pytest

from billing.models import Account
from handsets.models import Profile
from mms.models import Message, Template
from tests.api.documents import KEY, SAVE, SEND, file
from tests.flow.media import CallApi, Save
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers

CARD = b"BEGIN:VCARD\r\nFN:Ann\r\nEND:VCARD\r\n"
PDF = b"%PDF-1.7\n%%EOF"
LEFT_OUT = "slide 1: the application/pdf file is left out: the handset does not support application/pdf"
ALONE = (
    b"<error-code>E629</error-code><to>14044790000</to><error-info>The content is application/pdf alone, "
    b"which no handset profile takes; add a text or a picture</error-info>"
)


@pytest.fixture
def pdf(save: Save, web: ScriptedServer, records: SimpleNamespace) -> Template:
    """A slide of a text and a PDF."""
    web.default = file(PDF, "application/pdf")
    return save("pdf")


@pytest.mark.parametrize("asked", [True, False])
def test_left_out_part_is_told_to_the_customer(
    asked: bool, pdf: Template, call_api: CallApi, run_workers: RunWorkers, customer: ScriptedServer
) -> None:
    Account.objects.update(report_left_out=asked)
    send = {**SEND, "mms-id": str(pdf.pk)}
    valid = "The request is valid; nothing was sent, charged or stored"
    assert f"<status-details>{valid}. {LEFT_OUT}</status-details>".encode() in call_api({**send, "dry-run": "true"})
    call_api(send)
    run_workers()
    message = Message.objects.get()
    read = call_api({"action": "getMessage", "api-key": KEY, "tracking-id": message.tracking_id})
    assert f"<status-details>to the generic profile; {LEFT_OUT}</status-details>".encode() in read
    (n101,) = [sent.body.decode() for sent in customer.received if b"N101" in sent.body]
    assert re.findall("<status-details>(.*)</status-details>", n101) == ([LEFT_OUT] if asked else [])


def test_vcard_is_sent_to_the_generic_profile(
    save: Save, call_api: CallApi, run_workers: RunWorkers, web: ScriptedServer, mmsc: ScriptedServer
) -> None:
    web.default = file(CARD, "text/vcard")
    call_api({**SEND, "mms-id": str(save("vcard").pk)})
    run_workers()
    assert CARD in mmsc.received[0].body


def test_object_alone_is_refused_unless_a_profile_takes_it(
    call_api: CallApi, web: ScriptedServer, records: SimpleNamespace
) -> None:
    web.default = file(PDF, "application/pdf")
    slide = f"<pdf><url>{web.url}/a.pdf</url></pdf>"
    (mms_id,) = re.findall(rb"<mms-id>(\d+)<", call_api({**SAVE, "slide": slide}))
    send = {**SEND, "mms-id": mms_id.decode()}
    send_at_once = {
        **SEND,
        "action": "sendMMS",
        "mms-id": None,
        "name": "PDF",
        "message-subject": "PDF",
        "slide": slide,
    }
    assert ALONE in call_api(send)
    assert ALONE in call_api({**send, "dry-run": "true"})
    assert ALONE in call_api(send_at_once)
    assert not Message.objects.exists()
    Profile.objects.create(name="reader", mime_types=["application/pdf"])
    assert b"<status>Success</status>" in call_api({**send, "dry-run": "true"})
    assert b"<status>Success</status>" in call_api(send_at_once)
