"""Requests, answers and media for tests of the message flow, and a helper that runs its workers."""

import io
from datetime import UTC, datetime
from functools import cache

from PIL import Image

from mms.messages import sender
from mms.mm7.soap import REL_6
from mms.models import Message
from mms.postbacks import notifier
from tests.scripted import Response

SEED = """<request>
    <action>sendSavedMMS</action>
    <api-key>qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlZ</api-key>
    <to>14044790000</to>
    <from>28444</from>
    <service-id>12345</service-id>
    <mms-id>35674</mms-id>
    <ddm-message-subject>We are detecting your handset</ddm-message-subject>
    <ddm-message-text>This message is free of charge and will allow us to deliver your content nice and smooth</ddm-message-text>
    <ddm-message-timeout>10</ddm-message-timeout>
    <custom-text>
        <value>My custom text in first slide</value>
        <slide>1</slide>
    </custom-text>
    <custom-subject>My custom subject</custom-subject>
    <data>
        <firstname>Bill</firstname>
        <lastname>Smith</lastname>
        <accountnumber>XYZ23456</accountnumber>
        <pin>13579</pin>
    </data>
</request>
"""  # noqa: E501 - a customer's request, unchanged
IPHONE = "http://iphonemms.apple.com/iphone/uaprof-2MB.rdf"


def envelope(body: str) -> bytes:
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<e:Header><TransactionID xmlns="{REL_6}">t1</TransactionID></e:Header>'
        f"<e:Body>{body}</e:Body></e:Envelope>"
    ).encode()


def submit_rsp(message_id: str = "", code: int = 1000) -> Response:
    name = f"<MessageID>{message_id}</MessageID>" if message_id else ""
    status = f"<Status><StatusCode>{code}</StatusCode><StatusText>said the MMSC</StatusText></Status>"
    return Response(
        body=envelope(f'<SubmitRsp xmlns="{REL_6}"><MM7Version>6.8.0</MM7Version>{status}{name}</SubmitRsp>')
    )


def report_body(
    message_id: str, number: str, status: str, handset: str | None = None, date: str = "2026-11-22T12:00:00Z"
) -> bytes:
    capabilities = f'<UACapabilities UAProf="{handset}"/>' if handset else ""
    return envelope(
        f'<DeliveryReportReq xmlns="{REL_6}"><MM7Version>6.8.0</MM7Version><MessageID>{message_id}</MessageID>'
        f"<Recipient><Number>+{number}</Number></Recipient><Sender><ShortCode>28444</ShortCode></Sender>"
        f"<Date>{date}</Date><MMStatus>{status}</MMStatus>{capabilities}</DeliveryReportReq>"
    )


@cache
def photograph(width: int = 800, height: int = 600) -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert("RGB").save(file, "JPEG", quality=90)
    return file.getvalue()


class RunWorkers:
    """Runs sender and notifier until nothing is due, at the given time or the present one."""

    def __call__(self, now: datetime | None = None) -> None:
        clock = (lambda: now) if now else (lambda: datetime.now(UTC))
        sender.run(clock)
        notifier.run(clock)


def event_kinds(message: Message) -> list[str]:
    return list(message.events.values_list("kind", flat=True))


def postback_codes(message: Message) -> list[str]:
    return list(message.postbacks.values_list("code", flat=True))
