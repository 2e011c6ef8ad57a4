"""Delivery reports: final, repeated, early, late, unknown, unauthenticated, malformed."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from handsets.models import CachedHandset
from mms.mm7.soap import REL_6
from mms.models import Message, Report, Status
from tests.scripted import ScriptedServer
from tests.wire import IPHONE, RunWorkers, event_kinds, postback_codes, report_body, submit_rsp

Send = Callable[..., Message]
SendReport = Callable[..., int]


@pytest.mark.parametrize(
    ("status", "final_status", "code", "status_text"),
    [
        ("Retrieved", "delivered", "N102", "Message Sent/Delivered"),
        ("Expired", "expired", "E102", "Message Sent/Expired"),
        ("Rejected", "rejected", "E102", "Message Sent/Rejected"),
        ("NotSupported", "failed", "E102", "Message Sent/Not Supported"),
        ("Unreachable", "failed", "E102", "Message Sent/Failed"),
        ("Delivered", "delivered", "N102", "Message Sent/Delivered"),
        ("Undeliverable", "failed", "E102", "Message Sent/Failed"),
        ("System Error", "failed", "E102", "Message Sent/Failed"),
    ],
)
def test_final_report_ends_the_message(
    send: Send,
    run_workers: RunWorkers,
    send_report: SendReport,
    status: str,
    final_status: str,
    code: str,
    status_text: str,
) -> None:
    message = send()
    run_workers()
    assert send_report("M1", status, IPHONE) == 200
    message.refresh_from_db()
    assert (message.status, message.due_at) == (final_status, None)
    assert message.final_at is not None
    postback = message.postbacks.get(code=code)
    assert (postback.fields["status"], postback.fields["handset"]) == (status_text, IPHONE)


@pytest.mark.parametrize("status", ["Forwarded", "Deferred", "Indeterminate", "Something new"])
def test_intermediate_report_is_entered_in_the_timeline(
    send: Send, run_workers: RunWorkers, send_report: SendReport, status: str
) -> None:
    message = send()
    run_workers()
    assert send_report("M1", status) == 200
    message.refresh_from_db()
    assert (message.status, event_kinds(message)[-1], postback_codes(message)) == ("submitted", "report", ["N101"])


def test_message_id_of_200_characters_fits_and_201_gets_400(
    send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next(submit_rsp("X" * 200))
    message = send()
    run_workers()
    assert send_report("X" * 201, "Retrieved") == 400
    assert send_report("X" * 200, "Retrieved") == 200
    message.refresh_from_db()
    assert message.status == "delivered"


def test_repeated_report_is_confirmed_and_changes_nothing(
    send: Send, run_workers: RunWorkers, send_report: SendReport
) -> None:
    message = send()
    run_workers()
    assert [send_report("M1", "Retrieved") for _ in range(3)] == [200, 200, 200]
    assert postback_codes(message) == ["N101", "N102"]
    assert Report.objects.count() == 1


def test_different_unknown_statuses_are_different_reports(
    send: Send, run_workers: RunWorkers, send_report: SendReport
) -> None:
    message = send()
    run_workers()
    for word in ("Parked", "Lost", "Parked"):
        assert send_report("M1", word) == 200
    assert [(report.status, report.raw_status) for report in Report.objects.all()] == [
        ("Unknown", "Parked"),
        ("Unknown", "Lost"),
    ]
    assert [event.text for event in message.events.filter(kind="report")] == ["Parked", "Lost"]


def test_carrier_status_overrides_apply(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport
) -> None:
    type(records.carrier).objects.update(status_overrides={"4": "Rejected", "Read": "Retrieved"})
    statuses = {"4": "rejected", "Read": "delivered", "Expired": "expired"}
    for number, (word, status) in enumerate(statuses.items(), 1):
        message = send()
        run_workers()
        assert send_report(f"M{number}", word) == 200
        message.refresh_from_db()
        assert message.status == status


def test_reports_without_message_id_reach_both_messages(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next(submit_rsp(), submit_rsp())
    for date in ("2026-11-22T12:00:00Z", "2026-11-22T12:30:00Z"):
        message = send()
        run_workers()
        assert send_report("", "Retrieved", date=date) == 200
        run_workers(datetime.now(UTC) + timedelta(seconds=2))
        message.refresh_from_db()
        assert (message.status, postback_codes(message)) == ("delivered", ["N101", "N102"])
    assert send_report("", "Retrieved", date=date) == 200
    assert Report.objects.count() == 2


def test_reused_message_id_reports_on_the_later_message(
    send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next(submit_rsp("M7"), submit_rsp("M7"))
    for _ in range(2):
        message = send()
        run_workers()
        assert [send_report("M7", "Retrieved") for _ in range(2)] == [200, 200]
        message.refresh_from_db()
        assert (message.status, postback_codes(message)) == ("delivered", ["N101", "N102"])
    assert Report.objects.count() == 2


def test_repeated_early_report_changes_nothing(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport
) -> None:
    message = send()
    assert send_report("M1", "Retrieved", IPHONE) == 200
    run_workers()
    before = event_kinds(message)
    assert send_report("M1", "Retrieved", IPHONE) == 200
    assert (Report.objects.count(), event_kinds(message)) == (1, before)


def test_repeated_undated_report_matches_no_other_message(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next("reset", "reset")
    for status in ("delivered", "in_doubt"):
        message = send()
        run_workers()
        assert send_report("", "Retrieved", date="") == 200
        Report.objects.update(occasion="another minute")
        run_workers(datetime.now(UTC) + timedelta(seconds=2))
        message.refresh_from_db()
        assert message.status == status


def test_repeated_report_may_add_the_handset(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport
) -> None:
    send()
    run_workers()
    send_report("M1", "Retrieved")
    send_report("M1", "Retrieved", IPHONE)
    assert CachedHandset.objects.get().handset == records.iphone


def test_first_final_report_wins_and_later_ones_are_stored(
    send: Send, run_workers: RunWorkers, send_report: SendReport
) -> None:
    message = send()
    run_workers()
    for status in ("Deferred", "Rejected", "Expired", "Retrieved"):
        send_report("M1", status)
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("rejected", ["N101", "E102"])
    assert event_kinds(message)[-4:] == ["report", "rejected", "report", "report"]
    assert Report.objects.count() == 4


def test_report_before_the_submit_result_is_matched(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport
) -> None:
    message = send()
    assert send_report("M1", "Retrieved", IPHONE) == 200
    assert not CachedHandset.objects.exists()  # it may be about anything
    run_workers()
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("delivered", ["N101", "N102"])
    assert CachedHandset.objects.get().handset == records.iphone


def test_sweep_matches_a_report_that_raced_the_submit_result(
    send: Send, run_workers: RunWorkers, send_report: SendReport
) -> None:
    message = send()
    run_workers()
    send_report("M1", "Retrieved")
    # As after simultaneous commits of report and result, neither of which saw the other.
    Report.objects.update(attempt=None, due_at=datetime.now(UTC) + timedelta(seconds=1))
    Message.objects.update(status="submitted", due_at=message.expires_at, final_at=None)
    message.postbacks.filter(code="N102").delete()
    run_workers(datetime.now(UTC) + timedelta(seconds=2))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("delivered", ["N101", "N102"])


def test_unknown_report_is_confirmed_and_retried_eight_times(
    records: SimpleNamespace, send_report: SendReport, run_workers: RunWorkers
) -> None:
    assert send_report("unknown", "Retrieved", IPHONE, number="14045550123") == 200
    for days in (0.1, 0.2, 0.5, 1, 2, 3, 5, 7, 9):
        run_workers(datetime.now(UTC) + timedelta(days=days))
    report = Report.objects.get()
    assert (report.attempt, report.due_at, report.matches) == (None, None, 8)
    assert not CachedHandset.objects.exists()


def test_late_match_does_not_override_a_newer_handset(
    send: Send, run_workers: RunWorkers, send_report: SendReport
) -> None:
    message = send()
    run_workers()
    send_report("assigned-by-hand", "Deferred", "an older handset")
    send_report("M1", "Retrieved", IPHONE)
    attempt = message.attempts.get()
    attempt.mmsc_id = "assigned-by-hand"
    attempt.save()
    run_workers(datetime.now(UTC) + timedelta(hours=1))
    assert Report.objects.get(mmsc_id="assigned-by-hand").attempt == attempt
    assert CachedHandset.objects.get().handset.identity == IPHONE


def test_message_without_a_report_expires(send: Send, run_workers: RunWorkers) -> None:
    message = send()
    run_workers()
    run_workers(message.expires_at + settings.REPORT_GRACE - timedelta(seconds=1))
    message.refresh_from_db()
    assert message.status == "submitted"
    run_workers(message.expires_at + settings.REPORT_GRACE + timedelta(seconds=1))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("expired", ["N101", "E102"])


def call(body: bytes, user: str = "mmsc:report-secret", carrier: str = "att") -> tuple[int, bytes]:
    answer = Client().post(
        f"/mm7/{carrier}",
        body,
        content_type="text/xml",
        headers={"authorization": "Basic " + base64.b64encode(user.encode()).decode()},
    )
    return answer.status_code, answer.content


def test_response_echoes_transaction_id_and_namespace(records: SimpleNamespace) -> None:
    status, answer = call(report_body("M1", "14044790000", "Retrieved"))
    assert status == 200
    assert answer.decode() == (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Header>'
        f'<mm7:TransactionID xmlns:mm7="{REL_6}" env:mustUnderstand="1">t1</mm7:TransactionID></env:Header>'
        f'<env:Body><DeliveryReportRsp xmlns="{REL_6}"><MM7Version>6.8.0</MM7Version>'
        "<Status><StatusCode>1000</StatusCode><StatusText>Success</StatusText></Status></DeliveryReportRsp></env:Body>"
        "</env:Envelope>"
    )


@pytest.mark.parametrize(
    ("user", "carrier", "status"),
    [("mmsc:wrong", "att", 401), ("nobody:report-secret", "att", 401), ("mmsc:report-secret", "nowhere", 404)],
)
def test_wrong_credentials_get_401_and_unknown_carrier_404(
    records: SimpleNamespace, user: str, carrier: str, status: int
) -> None:
    assert call(report_body("M1", "14044790000", "Retrieved"), user, carrier)[0] == status
    assert not Report.objects.exists()


def test_address_outside_the_carrier_networks_gets_403(records: SimpleNamespace) -> None:
    records.carrier.inbound_networks = ["192.0.2.0/24"]
    records.carrier.save()
    assert call(report_body("M1", "14044790000", "Retrieved"))[0] == 403


def test_carrier_without_credentials_and_networks_gets_403(records: SimpleNamespace) -> None:
    type(records.carrier).objects.update(inbound_username="", inbound_password="")
    assert call(report_body("M1", "14044790000", "Retrieved", IPHONE))[0] == 403
    assert not Report.objects.exists()


def test_changed_password_applies_despite_the_stale_cache(records: SimpleNamespace) -> None:
    body = report_body("M1", "14044790000", "Retrieved")
    assert [call(body)[0], call(body)[0]] == [200, 200]
    type(records.carrier).objects.update(inbound_password="another-secret")
    assert [call(body)[0], call(body, "mmsc:another-secret")[0]] == [401, 200]


def test_changed_status_overrides_apply_despite_the_stale_cache(records: SimpleNamespace) -> None:
    assert call(report_body("M1", "14044790000", "Parked"))[0] == 200
    type(records.carrier).objects.update(status_overrides={"Parked": "Deferred"})
    assert call(report_body("M2", "14044790000", "Parked"))[0] == 200
    assert list(Report.objects.values_list("status", flat=True)) == ["Unknown", "Deferred"]


def test_malformed_request_gets_a_soap_fault(records: SimpleNamespace) -> None:
    status, answer = call(b"<not soap")
    assert (status, b"<StatusCode>2007</StatusCode>" in answer) == (400, True)


@pytest.mark.parametrize(
    ("operation", "response", "code", "text"),
    [
        ("ReadReplyReq", "ReadReplyRsp", 1000, "Success"),
        ("DeliverReq", "DeliverRsp", 4003, "messages are not accepted"),
        ("CancelReq", "CancelRsp", 4003, "the operation CancelReq is not supported"),
        ("extendedReplaceReq", "extendedReplaceRsp", 4003, "the operation extendedReplaceReq is not supported"),
    ],
)
def test_unstored_operation_gets_its_own_response(
    records: SimpleNamespace, operation: str, response: str, code: int, text: str
) -> None:
    body = report_body("M1", "14044790000", "Retrieved").replace(b"DeliveryReportReq", operation.encode())
    status, answer = call(body)
    assert status == 200
    assert answer.decode() == (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Header>'
        f'<mm7:TransactionID xmlns:mm7="{REL_6}" env:mustUnderstand="1">t1</mm7:TransactionID></env:Header>'
        f'<env:Body><{response} xmlns="{REL_6}"><MM7Version>6.8.0</MM7Version><Status>'
        f"<StatusCode>{code}</StatusCode><StatusText>{text}</StatusText></Status></{response}></env:Body>"
        "</env:Envelope>"
    )
    assert not Report.objects.exists()


def test_operation_that_is_no_request_gets_a_soap_fault(records: SimpleNamespace) -> None:
    for operation in (b"RSErrorRsp", b"Req", "Größe-Req".encode()):
        status, answer = call(report_body("M1", "1", "Retrieved").replace(b"DeliveryReportReq", operation))
        assert (status, b"<StatusCode>4003</StatusCode>" in answer, b"Fault" in answer) == (500, True, True)


def test_failing_sweep_step_does_not_block_sending(
    records: SimpleNamespace, send: Send, send_report: SendReport, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    send_report("unknown-id", "Retrieved")
    with connection.cursor() as cursor:
        cursor.execute("""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
            CREATE TRIGGER refuse BEFORE UPDATE ON mms_report FOR EACH ROW EXECUTE FUNCTION refuse();
        """)
    message = send()
    run_workers(datetime.now(UTC) + timedelta(minutes=1))
    assert len(mmsc.received) == 1
    message.refresh_from_db()
    assert message.status == Status.SUBMITTED
    assert Report.objects.get().matches == 0
