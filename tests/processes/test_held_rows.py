"""A row that another transaction holds fails or delays only the requests and replies that need it."""

import base64
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from types import SimpleNamespace

import pytest

from billing import ledger
from billing.models import Balance
from config.embedded.ports import HOST
from mms.api.accept_alone import WAITS_MAX
from mms.models import Message, Report
from tests.processes.messages import accept, number, request, statuses
from tests.processes.platform_under_test import Platform, eventually, http
from tests.processes.rows import KEY, PRICE, create_other_customer, held, held_balance
from tests.scripted import ScriptedServer
from tests.wire import report_body

PROMPT = 3.0  # seconds; without the held row, an answer takes some milliseconds
IMPATIENT = 40  # requests for the account whose balance is held, all at once


def outcome(answer: bytes) -> str:
    code = answer.decode().partition("<error-code>")[2].partition("<")[0]
    return code or answer.decode().partition("<status>")[2].partition("<")[0]


def timed(call: Callable[[], bytes]) -> tuple[bytes, float]:
    begin = time.monotonic()
    return call(), time.monotonic() - begin


@pytest.mark.parametrize("key", [b"", b"<idempotency-key>order 7</idempotency-key>"])
def test_held_balance_fails_only_its_own_requests(records: SimpleNamespace, platform: Platform, key: bytes) -> None:
    other = create_other_customer(records)
    platform.web()

    def send(to: str) -> str:
        body = request(to).replace(b"</request>", key + b"</request>")
        return outcome(http(platform.web_port, "POST", "/ep/v1/", body))

    def send_for_other(_: int = 0) -> tuple[bytes, float]:
        body = request(number(), key=KEY, template=other.template.pk)
        return timed(lambda: http(platform.web_port, "POST", "/ep/v1/", body))

    with ThreadPoolExecutor(IMPATIENT) as customers, held_balance(records.account):
        waiting = [customers.submit(send, number()) for _ in range(IMPATIENT)]
        answers = [send_for_other() for _ in range(20)]
        probe, probe_seconds = timed(lambda: http(platform.web_port, "GET", "/healthz"))
        failed = Counter(each.result() for each in waiting)
        answers.append(send_for_other())
    assert {outcome(answer) for answer, _ in answers} == {"Success"}
    assert max(seconds for _, seconds in answers) < PROMPT
    assert (probe, probe_seconds < 1) == (b"alive\n", True)
    assert failed == {"E503": IMPATIENT}
    assert send(number()) == "Success"
    assert Message.objects.filter(account=records.account).count() == 1
    assert Balance.objects.get(account=records.account).reserved == PRICE
    assert (ledger.reconcile(), WAITS_MAX < IMPATIENT) == ([], True)


def test_held_account_at_the_commit_fails_only_its_requests(records: SimpleNamespace, platform: Platform) -> None:
    """The foreign keys of a message are checked, with locks, when its transaction commits."""
    other = create_other_customer(records)
    platform.web()
    bodies = [request(number()), *(request(number(), key=KEY, template=other.template.pk) for _ in range(8))]
    with (
        ThreadPoolExecutor(len(bodies)) as customers,
        held("SELECT FROM billing_account WHERE id = %s FOR UPDATE", records.account.pk),
    ):
        sent = [customers.submit(http, platform.web_port, "POST", "/ep/v1/", body) for body in bodies]
        outcomes = [outcome(each.result()) for each in sent]
    assert outcomes == ["E503", *["Success"] * 8]
    assert Message.objects.filter(account=records.account).count() == 0


def test_held_balance_delays_only_its_own_replies(
    records: SimpleNamespace, platform: Platform, mmsc: ScriptedServer
) -> None:
    other = create_other_customer(records)
    mmsc.answering.clear()
    for records_of in (records, other):
        for _ in range(3):
            accept(records_of, number())
    platform.worker()
    platform.wake()
    eventually(lambda: len(mmsc.received) == 6)
    with held_balance(records.account):
        mmsc.answering.set()
        eventually(lambda: Message.objects.filter(account=other.account, status="submitted").count() == 3)
        assert Message.objects.filter(account=records.account, status="sending").count() == 3
    eventually(lambda: statuses() == {"submitted": 6})
    assert (len(mmsc.received), ledger.reconcile()) == (6, [])
    assert {balance.reserved for balance in Balance.objects.all()} == {0}


def test_expired_message_of_a_held_account_stops_no_claim(
    records: SimpleNamespace, platform: Platform, mmsc: ScriptedServer
) -> None:
    other = create_other_customer(records)
    expired, live = accept(records, number()), accept(other, number())
    Message.objects.filter(pk=expired.pk).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    with held_balance(records.account):
        platform.worker()
        platform.wake()
        eventually(lambda: Message.objects.get(pk=live.pk).status == "submitted")
    Message.objects.filter(status="accepted").update(due_at=datetime.now(UTC))
    platform.wake()
    eventually(lambda: Message.objects.get(pk=expired.pk).status == "failed")
    assert (len(mmsc.received), ledger.reconcile()) == (1, [])


def test_report_on_a_held_message_is_refused_alone(records: SimpleNamespace, platform: Platform) -> None:
    stuck, other = accept(records, number()), accept(records, number())
    for name, message in (("M1", stuck), ("M2", other)):
        message.attempts.create(
            carrier=records.carrier, try_number=1, started_at=message.created_at, finished_at=message.created_at,
            size=1, outcome="submitted", mmsc_id=name,
        )  # fmt: skip
    Message.objects.update(status="submitted", submitted_at=datetime.now(UTC))
    platform.web()

    def report(name: str, to: str) -> int:
        with closing(HTTPConnection(HOST, platform.web_port, timeout=30)) as mmsc:
            credentials = base64.b64encode(b"mmsc:report-secret").decode()
            headers = {"Content-Type": "text/xml", "Authorization": f"Basic {credentials}"}
            mmsc.request("POST", "/mm7/att", report_body(name, to, "Retrieved"), headers)
            return mmsc.getresponse().status

    with (
        ThreadPoolExecutor(2) as carriers,
        held("SELECT FROM mms_message WHERE id = %s FOR UPDATE", stuck.pk),
    ):
        both = [carriers.submit(report, name, m.number) for name, m in (("M1", stuck), ("M2", other))]
        assert [each.result() for each in both] == [503, 200]
    assert (statuses(), Report.objects.count()) == ({"submitted": 1, "delivered": 1}, 1)
    assert report("M1", stuck.number) == 200
