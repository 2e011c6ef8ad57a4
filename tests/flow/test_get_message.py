"""getMessage: status and timeline of a message, in every dialect."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace

from mms.models import Message
from tests.api.dialect_requests import XML_DECLARATION, get, post_json
from tests.api.documents import KEY, NUMBER, SEND, request
from tests.wire import IPHONE, RunWorkers

READ = {"action": "getMessage", "api-key": KEY}
CREATED = datetime(2026, 11, 22, 12, 57, 35, tzinfo=UTC)


def test_get_message_returns_the_timeline_in_every_dialect(
    records: SimpleNamespace, post: Callable[[str], bytes], run_workers: RunWorkers, send_report: Callable[..., int]
) -> None:
    post(request({**SEND, "client-reference": "r1"}).decode())
    message = Message.objects.get()
    before = post(request({**READ, "tracking-id": message.tracking_id}).decode())
    assert b"<message-status>accepted</message-status><client-reference>r1</client-reference><event>" in before
    run_workers()
    send_report("M1", "Retrieved", IPHONE)
    run_workers()
    message.events.update(at=CREATED)
    timeline = [
        ("accepted", "to AT&amp;T from 28444"), ("adapted", "to the generic profile"),
        ("submitted", "the MMSC accepted it as M1"), ("delivered", f"Retrieved {IPHONE}"),
    ]  # fmt: skip
    events = "".join(
        f"<event><timestamp>2026-11-22T12:57:35+00:00</timestamp><type>{kind}</type>"
        f"<status-details>{text}</status-details></event>"
        for kind, text in timeline
    )
    assert post(request({**READ, "tracking-id": message.tracking_id}).decode()).decode() == (
        f"{XML_DECLARATION}<response><status>Success</status><tracking-id>{message.tracking_id}</tracking-id>"
        f"<mms-id>35674</mms-id><to>{NUMBER}</to><from>28444</from><message-status>delivered</message-status>"
        f"<sent-as>MMS</sent-as><client-reference>r1</client-reference>{events}</response>"
    )
    by_get = get(f"action=getMessage&api_key={KEY}&trackingid={message.tracking_id}")
    assert b"<MESSAGESTATUS>delivered</MESSAGESTATUS><SENTAS>MMS</SENTAS>" in by_get
    by_json = post_json({"action": "getMessage", "tracking-id": message.tracking_id})
    assert [event["type"] for event in by_json["events"]] == [kind for kind, _ in timeline]
