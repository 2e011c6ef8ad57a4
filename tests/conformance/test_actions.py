"""Every action, in every dialect, over HTTP: what a client of the API may rely on."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.clients import Client, Server, Skycore

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

SLIDES = [{"message-text": "Dear {{firstname|customer}}", "duration": "8"}, {"message-text": "Bye"}]
# Failures of content in the Skycore dialect -> in the others.
SKYCORE_CODES = {"E301": "E311", "E302": "E312", "E303": "E313", "E304": "E314"}


@pytest.fixture
def mms_id(client: Client) -> Iterator[str]:
    """Content that is stored for the test."""
    answer = client("saveMMS", name="Conformance", message_subject="Hello", slide=SLIDES)
    assert answer["status"] == "Success", answer
    yield answer["mms-id"]
    client("deleteMMSID", mms_id=answer["mms-id"])


@pytest.fixture
def order(server: Server, mms_id: str) -> dict[str, Any]:
    """What a sendSavedMMS must give."""
    return {"to": server.number, "from_": server.sender, "service_id": server.service, "mms_id": mms_id}


def code(client: Client, answer: dict[str, Any]) -> str:
    assert answer["status"] == "Failure", answer
    found = str(answer["error-code"])
    return SKYCORE_CODES.get(found, found) if isinstance(client, Skycore) else found


def test_a_key_is_good(client: Client) -> None:
    assert client("loginUser")["status"] == "Success"


def test_stored_content_is_sent(client: Client, server: Server, order: dict[str, Any]) -> None:
    answer = client("sendSavedMMS", **order)
    assert answer == {
        "status": "Success",
        "mms-id": order["mms_id"],
        "tracking-id": answer["tracking-id"],
        "to": server.number,
        "from": server.sender,
        "status-details": "MMS request accepted and queued for delivery",
    }


def test_new_content_is_stored_and_sent_in_one(client: Client, server: Server) -> None:
    who = {"to": server.number, "from_": server.sender, "service_id": server.service}
    sent = client("sendMMS", **who, name="Conformance", message_subject="Hello", slide=SLIDES)
    assert (sent["status"], sent["to"], sent["from"]) == ("Success", server.number, server.sender), sent
    assert client("getMessage", tracking_id=sent["tracking-id"])["mms-id"] == sent["mms-id"]
    assert client("sendSavedMMS", **who, mms_id=sent["mms-id"])["status"] == "Success"
    assert client("deleteMMSID", mms_id=sent["mms-id"])["status"] == "Success"


def test_a_dry_run_foretells_and_stores_nothing(client: Client, server: Server, order: dict[str, Any]) -> None:
    foretold = client("sendSavedMMS", **order, dry_run="true")
    assert (foretold["status"], foretold["to"], foretold["route"]) == ("Success", server.number, "MMS"), foretold
    new = {name: value for name, value in order.items() if name != "mms_id"}
    foretold = client("sendMMS", **new, name="Conformance", message_subject="Hello", slide=SLIDES, dry_run="true")
    assert foretold["route"] == "MMS", foretold
    assert foretold["ddm"] in ("false", False)
    assert client("getMMSTemplates", items_per_page="1")["mms-template"][0]["mms-id"] == order["mms_id"]


def test_a_repeat_under_its_key_gets_the_same_answer(client: Client, order: dict[str, Any], mms_id: str) -> None:
    repeated = order | {"idempotency_key": f"conformance {mms_id}"}
    assert client("sendSavedMMS", **repeated) == client("sendSavedMMS", **repeated)


def test_postbacks_are_sent_again(client: Client, order: dict[str, Any]) -> None:
    sent = client("sendSavedMMS", **order)
    again = client("replayPostbacks", tracking_id=sent["tracking-id"])
    assert (again["status"], again["tracking-id"]) == ("Success", sent["tracking-id"])
    assert client("replayPostbacks", since=datetime.now(UTC).isoformat())["replayed"] in ("0", 0)


def test_a_refusal_names_the_parameter_as_the_client_writes_it(client: Client, order: dict[str, Any]) -> None:
    asked: list[tuple[str, dict[str, str], str]] = [
        ("replayPostbacks", {}, "tracking-id"),
        ("replayPostbacks", {"since": "noon"}, "since"),
        ("replayPostbacks", {"tracking_id": "x"}, "tracking-id"),
        ("replayPostbacks", {"event_id": "1", "since": "2026-11-22"}, "since"),
        ("replayPostbacks", {"event_id": "x"}, "event-id"),
        ("replayPostbacks", {"until": "2026-11-22"}, "until"),
        ("sendSavedMMS", {**order, "ddm_message_timeout": "soon"}, "ddm-message-timeout"),
        ("sendSavedMMS", {**order, "custom_subject": "x" * 81}, "custom-subject"),
    ]
    for action, content, name in asked:
        assert client.name_of(name) in client(action, **content)["error-info"].replace(":", "").split()


def test_everything_that_may_be_given_is_taken(client: Client, order: dict[str, Any]) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    answer = client(
        "SENDSAVEDMMS",
        **{**order, "to": f"+{order['to']}", "from_": f"+{order['from_']}"},
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


def test_a_message_is_read(client: Client, server: Server, order: dict[str, Any]) -> None:
    sent = client("sendSavedMMS", **order)
    read = client("getMessage", tracking_id=sent["tracking-id"])
    assert [read[name] for name in ("status", "mms-id", "to")] == ["Success", order["mms_id"], server.number]
    assert read["event"][0]["type"] == "accepted"
    assert abs(datetime.fromisoformat(read["event"][0]["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=5)


def test_content_is_listed_the_newest_first(client: Client, mms_id: str) -> None:
    start = (datetime.now(UTC) - timedelta(minutes=5)).isoformat(timespec="seconds")
    listed = client("getMMSTemplates", start_date=start, page_number="1", items_per_page="1")
    (newest,) = listed["mms-template"]
    assert (newest["mms-id"], newest["mms-name"], newest["mms-subject"]) == (mms_id, "Conformance", "Hello")
    assert (str(newest["total-slides"]), str(newest["mms-size"])) == ("2", "30")
    assert int(listed["total-results"]) >= 1
    assert client("getMmsIds", items_per_page="1")["mms-template"][0]["mms-id"] == mms_id


def test_content_is_deleted_once(client: Client, order: dict[str, Any]) -> None:
    sent = client("sendSavedMMS", **order)
    deleted = client("deleteMMSID", mms_id=order["mms_id"])
    assert deleted == {"status": "Success", "mms-id": order["mms_id"]}
    assert code(client, client("deleteMMSID", mms_id=order["mms_id"])) == "E241"
    assert code(client, client("sendSavedMMS", **order)) == "E241"
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


def test_the_faults_of_sendsavedmms_have_their_codes(client: Client, order: dict[str, Any]) -> None:
    answers = [client("sendSavedMMS", **{**order, **change}) for change, _ in FAILURES]
    assert [code(client, answer) for answer in answers] == [expected for _, expected in FAILURES]
    assert all(answer["error-info"] for answer in answers)
    assert [answer.get("to", "") for answer in answers] == [change.get("to", order["to"]) for change, _ in FAILURES]


AREA = {"text": "Dear {{name}}", "left": "0", "top": "0", "width": "100", "height": "40", "font-size": "20"}


def drawn(**changes: str) -> dict[str, Any]:
    """A slide whose picture has a text drawn onto it; the picture cannot be fetched."""
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
    (drawn(), "E351"),
    (drawn(text=""), "E100"),
    (drawn(left="-1"), "E100"),
    (drawn(font_size="5"), "E100"),
    (drawn(font="Comic Sans"), "E100"),
    (drawn(color="red"), "E100"),
    (drawn(align="justify"), "E100"),
    (drawn(vertical_align="up"), "E100"),
    (drawn(text="日本"), "E100"),
    (drawn(text="This is too long for so small a box. " * 3), "E334"),
    ({"slide": [{"vcard": {"url": ""}, "ical": {"url": ""}}]}, "E223"),
    ({"slide": [{"pdf": {"url": ""}, "video": {"url": ""}}]}, "E224"),
    ({"slide": [{"audio": {"url": ""}, "video": {"url": ""}}]}, "E226"),
    ({"slide": [{"image": {"url": ""}, "video": {"url": ""}}]}, "E227"),
]


def test_the_faults_of_savemms_have_their_codes(client: Client) -> None:
    good = {"name": "Conformance", "message_subject": "Hello", "slide": SLIDES}
    codes = [code(client, client("saveMMS", **{**good, **change})) for change, _ in SAVE_FAILURES]
    assert codes == [expected for _, expected in SAVE_FAILURES]


SEND_FAILURES: list[tuple[dict[str, Any], str]] = [
    ({"to": ""}, "E110"),
    ({"name": ""}, "E311"),
    ({"slide": []}, "E312"),
    ({"service_id": "no such service"}, "E627"),
]


def test_sendmms_has_the_faults_of_the_order_and_of_the_content(client: Client, server: Server) -> None:
    good = {"to": server.number, "from_": server.sender, "service_id": server.service, "name": "a", "slide": SLIDES}
    codes = [code(client, client("sendMMS", **{**good, **change})) for change, _ in SEND_FAILURES]
    assert codes == [expected for _, expected in SEND_FAILURES]


LIST_FAILURES = [({"page_number": "0"}, "E212"), ({"items_per_page": "1001"}, "E213"), ({"start_date": "x"}, "E214")]


def test_the_faults_of_getmmstemplates_have_their_codes(client: Client) -> None:
    codes = [code(client, client("getMMSTemplates", **change)) for change, _ in LIST_FAILURES]
    assert codes == [expected for _, expected in LIST_FAILURES]


def test_other_faults_have_their_codes(client: Client) -> None:
    assert code(client, client("")) == "E100"
    assert code(client, client("sendPigeon")) == "E107"
    assert code(client, client("getMessage", tracking_id="TU1TXw==")) == "E100"
