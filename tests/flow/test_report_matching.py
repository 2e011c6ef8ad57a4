"""Which message a delivery report is about, however its MMSC writes number and MessageID, and wherever it sends it."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from handsets.models import CachedHandset
from mms.doctor import traffic
from mms.doctor.finding import Level
from mms.messages import report_search
from mms.mm7.soap import REL_6
from mms.models import Carrier, Message, Report
from tests.scripted import ScriptedServer
from tests.wire import IPHONE, RunWorkers, envelope, event_kinds, postback_codes, submit_rsp

Send = Callable[..., Message]

NUMBER = "14044790000"
SENDER = "14045550199"  # a long one, which could be taken for a recipient
DDM = "<ddm-message-text>What is your telephone?</ddm-message-text>"

# Recipient and Sender, as MMSCs write them.
SPELLINGS = {
    "as sent": (f"<Number>+{NUMBER}</Number>", f"<Number>{SENDER}</Number>"),
    "national": ("<Number>4044790000</Number>", f"<Number>{SENDER}</Number>"),
    "trunk prefix": ("<Number>04044790000</Number>", f"<Number>{SENDER}</Number>"),
    "masked": ("<Number>*******0000</Number>", f"<Number>{SENDER}</Number>"),
    "masked in part": ("<Number>1404479****</Number>", f"<Number>{SENDER}</Number>"),
    "empty": ("<Number></Number>", f"<Number>{SENDER}</Number>"),
    "missing": ("", ""),
    "swapped": (f"<Number>{SENDER}</Number>", f"<Number>{NUMBER}</Number>"),
    "swapped, national": (f"<Number>{SENDER}</Number>", "<Number>4044790000</Number>"),
    "e-mail": ("<RFC2822Address>a@b.example</RFC2822Address>", "<ShortCode>28444</ShortCode>"),
}


def report(
    message_id: str,
    recipient: str = f"<Number>{NUMBER}</Number>",
    sender: str = "<ShortCode>28444</ShortCode>",
    status: str = "Retrieved",
    carrier: str = "att",
    date: str = "2026-11-22T12:00:00Z",
) -> None:
    """Deliver a report that names the handset to a carrier's address."""
    body = envelope(
        f'<DeliveryReportReq xmlns="{REL_6}"><MM7Version>6.8.0</MM7Version><MessageID>{message_id}</MessageID>'
        f"<Recipient>{recipient}</Recipient><Sender>{sender}</Sender><Date>{date}</Date>"
        f'<MMStatus>{status}</MMStatus><UACapabilities UAProf="{IPHONE}"/></DeliveryReportReq>'
    )
    authorization = {"authorization": "Basic " + base64.b64encode(b"mmsc:report-secret").decode()}
    answer = Client().post(f"/mm7/{carrier}", body, content_type="text/xml", headers=authorization)
    assert (answer.status_code, b"<StatusCode>1000<" in answer.content) == (200, True)


def later(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)


def cached() -> list[tuple[str, str]]:
    return list(CachedHandset.objects.values_list("number", "handset__identity"))


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_report_is_about_the_number_of_its_message_id(
    send: Send, run_workers: RunWorkers, spelling: tuple[str, str], early: bool
) -> None:
    message = send()
    if early:  # before the answer to the submit
        report("M1", *spelling)
    run_workers()
    if not early:
        report("M1", *spelling)
    report("M1", *spelling)  # a repeat
    report("M1")  # and one in another spelling
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("delivered", ["N101", "N102"])
    assert [stored.number for stored in Report.objects.all()] == [NUMBER]
    assert cached() == [(NUMBER, IPHONE)]


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_discovery_uses_the_handset_that_its_report_names(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, spelling: tuple[str, str]
) -> None:
    message = send(DDM)
    run_workers()
    report("M1", *spelling)
    run_workers()
    message.refresh_from_db()
    assert (message.status, message.handset) == ("submitted", records.iphone)
    assert (postback_codes(message), cached()) == (["N501", "N502", "N101"], [(NUMBER, IPHONE)])


def test_early_reports_in_two_spellings_are_one_final_report(send: Send, run_workers: RunWorkers) -> None:
    message = send()
    for spelling in list(SPELLINGS.values())[:4]:
        report("M1", *spelling)
    run_workers()
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("delivered", ["N101", "N102"])
    assert {(stored.number, stored.due_at) for stored in Report.objects.all()} == {(NUMBER, None)}
    count = Report.objects.count()
    report("M1", *SPELLINGS["national"])
    assert (Report.objects.count(), cached()) == (count, [(NUMBER, IPHONE)])


def test_exact_message_id_is_looked_up_once(send: Send, run_workers: RunWorkers) -> None:
    send()
    run_workers()
    report("M1")  # fills the stale cache
    assert lookups_of("M1", "Deferred") == 1
    assert lookups_of("&lt;M1&gt;", "Forwarded") == 2


def lookups_of(message_id: str, status: str) -> int:
    """Return how often the attempts are searched for the report's MessageID."""
    executed: list[str] = []

    def collect(execute: Callable[..., object], sql: str, *rest: object) -> object:
        executed.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(collect):
        report(message_id, status=status)
    return executed.count(report_search.ATTEMPTS_BY_MMSC_ID)


# --- spellings of the MessageID -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answered", "reported"),
    [
        ("abc-1@mmsc", "&lt;abc-1@mmsc&gt;"),
        ("&lt;abc-1@mmsc&gt;", "abc-1@mmsc"),
        ("abc", '"abc"'),
        ('"abc"', "abc"),
        ("'abc'", "&lt;abc&gt;"),
    ],
)
@pytest.mark.parametrize("number", ["", f"<Number>{NUMBER}</Number>"])
def test_wrapped_message_id_is_matched_at_once(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, answered: str, reported: str, number: str
) -> None:
    mmsc.answer_next(submit_rsp(answered))
    message = send()
    run_workers()
    for _ in range(2):
        report(reported, number)
    message.refresh_from_db()
    assert (message.status, event_kinds(message).count("report")) == ("delivered", 0)
    assert (Report.objects.get().number, cached()) == (NUMBER, [(NUMBER, IPHONE)])


def test_wrapped_message_id_of_two_attempts_is_not_matched(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next(submit_rsp("&lt;abc&gt;"), submit_rsp('"abc"'))
    for _ in range(2):
        send()
        run_workers()
    report("abc", "")
    run_workers(later(seconds=2))
    assert set(Message.objects.values_list("status", flat=True)) == {"submitted"}
    assert Report.objects.get().attempt is None


@pytest.mark.parametrize(("answered", "reported"), [("a1B2c3", "A1B2C3"), ("A1B2", "&lt;a1b2&gt;"), ("xY", "Xy")])
def test_message_id_in_another_case_is_matched_by_number(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, answered: str, reported: str
) -> None:
    mmsc.answer_next(submit_rsp("another"), submit_rsp(answered))
    other, message = send(), send()
    run_workers()
    for status in ("Deferred", "Retrieved"):
        report(reported, status=status)
        run_workers(later(seconds=2))
    statuses = {sent.attempts.get().mmsc_id: sent.status for sent in Message.objects.all()}
    assert statuses == {"another": "submitted", answered: "delivered"}
    assert {other.pk, message.pk} == set(Message.objects.values_list("pk", flat=True))
    report(reported)
    run_workers(later(seconds=4))
    assert (Report.objects.count(), cached()) == (2, [(NUMBER, IPHONE)])


def test_message_id_in_another_case_of_another_number_is_not_matched(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    mmsc.answer_next(submit_rsp("abc"))
    message = send()
    run_workers()
    report("ABC", "<Number>14044790001</Number>")
    run_workers(later(seconds=2))
    message.refresh_from_db()
    assert (message.status, cached()) == ("submitted", [])


# --- carriers that share an MMSC ------------------------------------------------------------------------------------


def second_carrier(records: SimpleNamespace, **fields: str) -> Carrier:
    shared = {"mmsc_url": records.carrier.mmsc_url, "vaspid": records.carrier.vaspid, **fields}
    return Carrier.objects.create(
        name="AT&T B", slug="att-b", operator_id=31003, vasid="vas", inbound_username="mmsc",
        inbound_password="report-secret", **shared,
    )  # fmt: skip


@pytest.mark.parametrize("early", [False, True])
def test_report_to_another_carrier_of_the_same_mmsc_is_matched(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, early: bool
) -> None:
    second_carrier(records, mmsc_url=records.carrier.mmsc_url.replace("/mm7", "/other/path"))
    message = send()
    if early:
        report("M1", carrier="att-b")
    run_workers()
    if not early:
        report("M1", carrier="att-b")
    run_workers(later(seconds=2))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("delivered", ["N101", "N102"])
    report("M1", carrier="att-b")
    assert (Report.objects.get().due_at, cached()) == (None, [(NUMBER, IPHONE)])


def test_report_to_another_carrier_is_matched_by_number(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    second_carrier(records)
    mmsc.answer_next("reset")
    message = send()
    run_workers()
    report("M77", carrier="att-b")
    run_workers(later(seconds=2))
    message.refresh_from_db()
    assert (message.status, postback_codes(message)) == ("delivered", ["N101", "N102"])


@pytest.mark.parametrize(
    ("reported", "text"),
    [
        (("M1", f"<Number>{NUMBER}</Number>"), "reports on submits of AT&T come to the address of AT&T B"),
        (("M9", f"<Number>{NUMBER}</Number>"), "under MessageIDs that the MMSC did not answer with"),
        (("M9", "<Number>14044790001</Number>"), "reports on numbers to which nothing was sent"),
        (("", f"<Number>{NUMBER}</Number>"), "reports without a MessageID"),
    ],
)
def test_unmatched_reports_have_their_likely_reason(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, reported: tuple[str, str], text: str
) -> None:
    second_carrier(records, vaspid="another")
    send()
    run_workers()
    report(*reported, carrier="att-b")
    assert not [finding for finding in traffic.waiting() if "without a matching submit" in finding.text]
    Report.objects.update(received_at=later(minutes=-2), due_at=None)
    (found,) = (finding for finding in traffic.waiting() if "without a matching submit" in finding.text)
    assert (found.level, text in found.text, "(1 of the latest)" in found.text) == (Level.WARN, True, True)
    assert NUMBER not in found.text + found.remedy
    admin = Client()
    admin.force_login(User.objects.create_superuser("olga"))
    cards = {card.title: card for card in admin.get("/admin/").context["cards"]}
    assert (cards["Unmatched reports"].is_alarming, text in cards["Unmatched reports"].note) == (True, True)


@pytest.mark.parametrize("other", [{"vaspid": "another"}, {"mmsc_url": "http://127.0.0.1:9/mm7"}, {"mmsc_url": ""}])
def test_report_of_another_mmsc_is_not_matched(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, other: dict[str, str]
) -> None:
    second_carrier(records, **other)
    message = send()
    run_workers()
    report("M1", carrier="att-b")
    run_workers(later(seconds=2))
    message.refresh_from_db()
    assert (message.status, Report.objects.get().attempt, cached()) == ("submitted", None, [])


def test_message_id_of_the_own_carrier_comes_first(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    other = second_carrier(records)
    mmsc.answer_next(submit_rsp("M7"), submit_rsp("M7"))
    own = send()
    run_workers()
    foreign = send()
    Message.objects.filter(pk=foreign.pk).update(carrier=other)
    run_workers()
    report("M7")
    assert Report.objects.get().attempt == own.attempts.get()
