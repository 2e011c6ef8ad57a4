"""Every action in every dialect over HTTP: the behaviour that API clients may rely on."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.clients import Client, Server, Skycore

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

SLIDES = [{"message-text": "Dear {{firstname|customer}}", "duration": "8"}, {"message-text": "Bye"}]
# Code in the Skycore dialect -> code in the others.
SKYCORE_CODES = {"E301": "E311", "E302": "E312", "E303": "E313", "E304": "E314"}


@pytest.fixture
def mms_id(client: Client) -> Iterator[str]:
    """Store content for the test, and return its mms-id."""
    answer = client("saveMMS", name="Conformance", message_subject="Hello", slide=SLIDES)
    assert answer["status"] == "Success", answer
    yield answer["mms-id"]
    client("deleteMMSID", mms_id=answer["mms-id"])


@pytest.fixture
def required(server: Server, mms_id: str) -> dict[str, Any]:
    """Return the required parameters of sendSavedMMS."""
    return {"to": server.number, "from_": server.sender, "service_id": server.service, "mms_id": mms_id}


def code(client: Client, answer: dict[str, Any]) -> str:
    assert answer["status"] == "Failure", answer
    found = str(answer["error-code"])
    return SKYCORE_CODES.get(found, found) if isinstance(client, Skycore) else found


def test_loginuser_accepts_a_valid_key(client: Client) -> None:
    assert client("loginUser")["status"] == "Success"


def test_sendsavedmms_is_accepted(client: Client, server: Server, required: dict[str, Any]) -> None:
    answer = client("sendSavedMMS", **required)
    assert answer == {
        "status": "Success",
        "mms-id": required["mms_id"],
        "tracking-id": answer["tracking-id"],
        "to": server.number,
        "from": server.sender,
        "status-details": "MMS request accepted and queued for delivery",
    }


def test_sendmms_stores_content_and_sends_it(client: Client, server: Server) -> None:
    recipient = {"to": server.number, "from_": server.sender, "service_id": server.service}
    sent = client("sendMMS", **recipient, name="Conformance", message_subject="Hello", slide=SLIDES)
    assert (sent["status"], sent["to"], sent["from"]) == ("Success", server.number, server.sender), sent
    assert client("getMessage", tracking_id=sent["tracking-id"])["mms-id"] == sent["mms-id"]
    assert client("sendSavedMMS", **recipient, mms_id=sent["mms-id"])["status"] == "Success"
    assert client("deleteMMSID", mms_id=sent["mms-id"])["status"] == "Success"


def test_dry_run_previews_and_stores_nothing(client: Client, server: Server, required: dict[str, Any]) -> None:
    preview = client("sendSavedMMS", **required, dry_run="true")
    assert (preview["status"], preview["to"], preview["route"]) == ("Success", server.number, "MMS"), preview
    new = {name: value for name, value in required.items() if name != "mms_id"}
    preview = client("sendMMS", **new, name="Conformance", message_subject="Hello", slide=SLIDES, dry_run="true")
    assert preview["route"] == "MMS", preview
    assert preview["ddm"] in ("false", False)
    assert client("getMMSTemplates", items_per_page="1")["mms-template"][0]["mms-id"] == required["mms_id"]


def test_repeat_with_its_key_gets_the_same_answer(client: Client, required: dict[str, Any], mms_id: str) -> None:
    repeated = required | {"idempotency_key": f"conformance {mms_id}"}
    assert client("sendSavedMMS", **repeated) == client("sendSavedMMS", **repeated)


def test_replaypostbacks_counts_replayed_postbacks(client: Client, required: dict[str, Any]) -> None:
    sent = client("sendSavedMMS", **required)
    again = client("replayPostbacks", tracking_id=sent["tracking-id"])
    assert (again["status"], again["tracking-id"]) == ("Success", sent["tracking-id"])
    assert client("replayPostbacks", since=datetime.now(UTC).isoformat())["replayed"] in ("0", 0)


def test_failure_names_the_parameter_in_the_dialect(client: Client, required: dict[str, Any]) -> None:
    cases: list[tuple[str, dict[str, str], str]] = [
        ("replayPostbacks", {}, "tracking-id"),
        ("replayPostbacks", {"since": "noon"}, "since"),
        ("replayPostbacks", {"tracking_id": "x"}, "tracking-id"),
        ("replayPostbacks", {"event_id": "1", "since": "2026-11-22"}, "since"),
        ("replayPostbacks", {"event_id": "x"}, "event-id"),
        ("replayPostbacks", {"until": "2026-11-22"}, "until"),
        ("sendSavedMMS", {**required, "ddm_message_timeout": "soon"}, "ddm-message-timeout"),
        ("sendSavedMMS", {**required, "custom_subject": "x" * 81}, "custom-subject"),
    ]
    for action, content, name in cases:
        assert client.name_of(name) in client(action, **content)["error-info"].replace(":", "").split()


def test_every_parameter_is_accepted(client: Client, required: dict[str, Any]) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    answer = client(
        "SENDSAVEDMMS",
        **{**required, "to": f"+{required['to']}", "from_": f"+{required['from_']}"},
        fallback_sms_text="Hello {{firstname}}",
        disable_fallback_sms="false",
        disable_fallback_sms_link="true",
        fallback_sms_link_expiration=soon,
        custom_subject="For you",
        custom_text=[{"value": "One", "slide": "1"}, {"value": "Two\nlines", "slide": "2"}],
        data={"firstname": "Bill", "pin": "13579"},
        ddm_force="true",
        ddm_message_subject="Free",
        ddm_message_text="This message is free of charge",
        ddm_message_timeout="5",
        from_mask="Shop",
        client_reference="conformance",
        mms_expiry_timestamp=soon,
    )
    assert answer["status"] == "Success", answer
    assert client("getMessage", tracking_id=answer["tracking-id"])["client-reference"] == "conformance"


def test_getmessage_returns_the_message(client: Client, server: Server, required: dict[str, Any]) -> None:
    sent = client("sendSavedMMS", **required)
    read = client("getMessage", tracking_id=sent["tracking-id"])
    assert [read[name] for name in ("status", "mms-id", "to")] == ["Success", required["mms_id"], server.number]
    assert read["event"][0]["type"] == "accepted"
    assert abs(datetime.fromisoformat(read["event"][0]["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=5)


def test_getmmstemplates_lists_content_newest_first(client: Client, mms_id: str) -> None:
    start = (datetime.now(UTC) - timedelta(minutes=5)).isoformat(timespec="seconds")
    listed = client("getMMSTemplates", start_date=start, page_number="1", items_per_page="1")
    (newest,) = listed["mms-template"]
    assert (newest["mms-id"], newest["mms-name"], newest["mms-subject"]) == (mms_id, "Conformance", "Hello")
    assert (str(newest["total-slides"]), str(newest["mms-size"])) == ("2", "30")
    assert int(listed["total-results"]) >= 1
    assert client("getMmsIds", items_per_page="1")["mms-template"][0]["mms-id"] == mms_id


def test_deletemmsid_deletes_content_once(client: Client, required: dict[str, Any]) -> None:
    sent = client("sendSavedMMS", **required)
    deleted = client("deleteMMSID", mms_id=required["mms_id"])
    assert deleted == {"status": "Success", "mms-id": required["mms_id"]}
    assert code(client, client("deleteMMSID", mms_id=required["mms_id"])) == "E241"
    assert code(client, client("sendSavedMMS", **required)) == "E241"
    assert client("getMessage", tracking_id=sent["tracking-id"])["status"] == "Success"


FAILURES: list[tuple[dict[str, Any], str]] = [
    ({"to": ""}, "E110"),
    ({"to": "1404"}, "E110"),
    ({"to": "14044790000,14044790001"}, "E110"),
    ({"from_": ""}, "E111"),
    ({"from_": "99999999"}, "E111"),
    ({"mms_id": ""}, "E620"),
    ({"mms_id": "999999999999"}, "E241"),
    ({"service_id": "no such service"}, "E627"),
    ({"operator_id": "AT&T"}, "E650"),
    ({"operator_id": "999999998"}, "E651"),
    ({"fallback_sms_text": "x" * 5001}, "E228"),
    ({"custom_subject": "x" * 81}, "E314"),
    ({"custom_subject": "日本"}, "E314"),
    ({"custom_text": [{"value": "a", "slide": "9"}]}, "E100"),
    ({"custom_text": [{"value": "a", "slide": "1"}, {"value": "b", "slide": "1"}]}, "E100"),
    ({"custom_text": [{"value": "{{unknown}}", "slide": "1"}]}, "E100"),
    ({"custom_text": [{"value": "x" * 5001, "slide": "1"}]}, "E334"),
    ({"ddm_force": "true"}, "E100"),
    ({"ddm_message_timeout": "soon"}, "E100"),
    ({"mms_expiry_timestamp": "2001-01-01"}, "E100"),
]


def test_invalid_sendsavedmms_gets_the_documented_codes(client: Client, required: dict[str, Any]) -> None:
    answers = [client("sendSavedMMS", **{**required, **change}) for change, _ in FAILURES]
    assert [code(client, answer) for answer in answers] == [expected for _, expected in FAILURES]
    assert all(answer["error-info"] for answer in answers)
    assert [answer.get("to", "") for answer in answers] == [change.get("to", required["to"]) for change, _ in FAILURES]


AREA = {"text": "Dear {{name}}", "left": "0", "top": "0", "width": "100", "height": "40", "font-size": "20"}


def with_text_area(**changes: str) -> dict[str, Any]:
    """Return content with a text area on a picture that cannot be fetched."""
    area = AREA | {name.replace("_", "-"): text for name, text in changes.items()}
    return {"slide": [{"image": {"url": "ftp://www.example.com/a.jpg", "text-area": [area]}}]}


SAVE_FAILURES: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "E311"),
    ({"message_subject": ""}, "E314"),
    ({"slide": []}, "E312"),
    ({"slide": [{"message-text": "a"}] * 9}, "E225"),
    ({"slide": [{"message-text": ""}]}, "E313"),
    ({"slide": [{"message-text": "x" * 5001}]}, "E334"),
    ({"slide": [{"message-text": "a", "duration": "61"}]}, "E230"),
    ({"slide": [{"image": {"url": "ftp://www.example.com/a.jpg"}}]}, "E351"),
    ({"slide": [{"audio": {"url": "ftp://www.example.com/a.mp3"}}]}, "E352"),
    ({"slide": [{"video": {"url": "ftp://www.example.com/a.mp4"}}]}, "E353"),
    ({"slide": [{"vcard": {"url": "ftp://www.example.com/a.vcf"}}]}, "E355"),
    ({"slide": [{"ical": {"url": "ftp://www.example.com/a.ics"}}]}, "E356"),
    ({"slide": [{"pdf": {"url": "ftp://www.example.com/a.pdf"}}]}, "E357"),
    ({"slide": [{"passbook": {"url": "ftp://www.example.com/a.pkpass"}}]}, "E358"),
    (with_text_area(), "E351"),
    (with_text_area(text=""), "E100"),
    (with_text_area(left="-1"), "E100"),
    (with_text_area(font_size="5"), "E100"),
    (with_text_area(font="Comic Sans"), "E100"),
    (with_text_area(color="red"), "E100"),
    (with_text_area(align="justify"), "E100"),
    (with_text_area(vertical_align="up"), "E100"),
    (with_text_area(text="日本"), "E100"),
    (with_text_area(text="This is too long for so small a box. " * 3), "E334"),
    ({"slide": [{"vcard": {"url": ""}, "ical": {"url": ""}}]}, "E223"),
    ({"slide": [{"pdf": {"url": ""}, "video": {"url": ""}}]}, "E224"),
    ({"slide": [{"audio": {"url": ""}, "video": {"url": ""}}]}, "E226"),
    ({"slide": [{"image": {"url": ""}, "video": {"url": ""}}]}, "E227"),
]


def test_invalid_savemms_gets_the_documented_codes(client: Client) -> None:
    valid = {"name": "Conformance", "message_subject": "Hello", "slide": SLIDES}
    codes = [code(client, client("saveMMS", **{**valid, **change})) for change, _ in SAVE_FAILURES]
    assert codes == [expected for _, expected in SAVE_FAILURES]


SEND_FAILURES: list[tuple[dict[str, Any], str]] = [
    ({"to": ""}, "E110"),
    ({"name": ""}, "E311"),
    ({"slide": []}, "E312"),
    ({"service_id": "no such service"}, "E627"),
]


def test_invalid_sendmms_gets_the_documented_codes(client: Client, server: Server) -> None:
    valid = {"to": server.number, "from_": server.sender, "service_id": server.service, "name": "a", "slide": SLIDES}
    codes = [code(client, client("sendMMS", **{**valid, **change})) for change, _ in SEND_FAILURES]
    assert codes == [expected for _, expected in SEND_FAILURES]


LIST_FAILURES = [({"page_number": "0"}, "E212"), ({"items_per_page": "1001"}, "E213"), ({"start_date": "x"}, "E214")]


def test_invalid_getmmstemplates_gets_the_documented_codes(client: Client) -> None:
    codes = [code(client, client("getMMSTemplates", **change)) for change, _ in LIST_FAILURES]
    assert codes == [expected for _, expected in LIST_FAILURES]


def test_other_invalid_requests_get_the_documented_codes(client: Client) -> None:
    assert code(client, client("")) == "E100"
    assert code(client, client("sendPigeon")) == "E107"
    assert code(client, client("getMessage", tracking_id="TU1TXw==")) == "E100"
