"""getMessage: status and timeline of a message, in every dialect."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.utils import timezone

from handsets import cache
from handsets.cache import Sighting
from handsets.models import CachedHandset, Handset
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
        f"<sent-as>MMS</sent-as><profile>generic profile</profile><client-reference>r1</client-reference>"
        f"{events}</response>"
    )
    by_get = get(f"action=getMessage&api_key={KEY}&trackingid={message.tracking_id}")
    assert b"<MESSAGESTATUS>delivered</MESSAGESTATUS><SENTAS>MMS</SENTAS><PROFILE>generic profile</PROFILE>" in by_get
    by_json = post_json({"action": "getMessage", "tracking-id": message.tracking_id})
    assert [event["type"] for event in by_json["events"]] == [kind for kind, _ in timeline]


UNHEARD_OF = "http://handset.example/unheard-of.xml"
NO_PROFILE = f"generic profile; no profile for {UNHEARD_OF}"


@pytest.mark.parametrize(
    ("reported", "adapted_to", "profile"),
    [
        (IPHONE, f"to {IPHONE} (profile iPhone)", "profile iPhone"),
        (UNHEARD_OF, f"to the {NO_PROFILE}", NO_PROFILE),
        ("", "to the generic profile", "generic profile"),
    ],
)
def test_reported_handset_is_told_from_the_profile_that_was_used(
    records: SimpleNamespace,
    send: Callable[..., Message],
    post: Callable[[str], bytes],
    run_workers: RunWorkers,
    send_report: Callable[..., int],
    reported: str,
    adapted_to: str,
    profile: str,
) -> None:
    if reported:
        cache.record_sightings([Sighting(NUMBER, reported, CachedHandset.Source.DELIVERY_REPORT, timezone.now())])
    tag = f"<profile>{profile}</profile>"
    preview = post(request({**SEND, "dry-run": "true"}).decode()).decode()
    assert tag in preview
    assert (f"<handset>{reported}</handset>" in preview) == bool(reported)
    message = send()
    assert "<profile>" not in post(request({**READ, "tracking-id": message.tracking_id}).decode()).decode()
    run_workers()
    # A profile that an operator assigns now was not used.
    Handset.objects.filter(identity=UNHEARD_OF).update(profile=records.iphone.profile)
    send_report("M1", "Retrieved", UNHEARD_OF)
    assert message.events.get(kind="adapted").text == adapted_to
    read = post(request({**READ, "tracking-id": message.tracking_id}).decode()).decode()
    assert tag in read
    assert (f"<handset>{reported}</handset>" in read) == bool(reported)
    sent = message.postbacks.get(code="N102").fields
    assert (sent["handset"], sent["status-details"]) == (UNHEARD_OF, profile)
