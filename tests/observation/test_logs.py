"""Logs have one format for every step of a message, and contain no personal data and no secrets."""

import io
import json
import logging
import logging.config
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from django.db import DatabaseError, OperationalError, transaction
from django.test import Client

from base import logs
from mms.messages import sweeper
from mms.models import Message, Status
from mms.runtime import db_retry
from mms.runtime.group_commit import Batch, GroupCommit, Undecided
from tests.api.documents import SEND, request
from tests.scripted import Response, ScriptedServer
from tests.wire import IPHONE, SEED, RunWorkers, report_body, submit_rsp

KEY = "qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlZ"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The log output of the test, from DEBUG on."""
    monkeypatch.setenv("LOG_JSON", "true")
    text, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    handler.setFormatter(logs.formatter())
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def lines(written: io.StringIO) -> Lines:
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


def test_log_traces_a_message_without_personal_data(
    records: SimpleNamespace, mmsc: ScriptedServer, customer: ScriptedServer, written: io.StringIO, lines: Lines
) -> None:
    mmsc.answer_next(submit_rsp("D1"), submit_rsp("M1"))
    customer.answer_next(Response(status=500))
    post = Client().post
    post("/ep/v1/", SEED.encode(), content_type="text/xml")
    post("/ep/v1/", SEED.replace("<to>14044790000", "<to>no number 14044790000").encode(), content_type="text/xml")
    post("/ep/v1/", SEED.replace(KEY, "somebody-elses-key").encode(), content_type="text/xml")
    RunWorkers()()
    authorization = {"authorization": "Basic bW1zYzpyZXBvcnQtc2VjcmV0"}
    for name in ("D1", "unknown"):
        body = report_body(name, "14044790000", "Retrieved", IPHONE)
        post("/mm7/att", body, content_type="text/xml", headers=authorization)
    post("/mm7/att", b"<14044790000>", content_type="text/xml", headers=authorization)
    RunWorkers()()
    found = [line for line in lines() if line["level"] in {"info", "warning"}]
    tracking_id = Message.objects.get().tracking_id
    for event in ("request", "submit", "postback"):
        assert tracking_id in [line.get("tracking_id") for line in found if line["event"] == event]
    assert [line.get("discovery") is not None for line in found if line["event"] == "report"] == [True, False]
    everything = written.getvalue()
    for secret in ("14044790000", KEY, "somebody-elses-key", "report-secret", "bW1zY", "Bill", "13579", "custom text"):
        assert secret not in everything, secret


def test_submit_logs_code_and_http_status(
    records: SimpleNamespace, mmsc: ScriptedServer, written: io.StringIO, lines: Lines
) -> None:
    mmsc.answer_next(Response(status=401), submit_rsp(code=2001), submit_rsp("M1"), "reset")
    for _ in range(4):
        Client().post("/ep/v1/", request(SEND), content_type="text/xml")
        RunWorkers()()
    submits = [line for line in lines() if line["event"] == "submit"]
    assert [(line["outcome"], line["http_status"], line["code"]) for line in submits] == [
        ("transient", 401, None),
        ("permanent", 200, 2001),
        ("submitted", 200, 1000),
        ("in_doubt", None, None),
    ]


def test_request_logs_action_code_and_duration(records: SimpleNamespace, lines: Lines) -> None:
    Client().post("/ep/v1/", SEED.replace("35674", "1").encode(), content_type="text/xml")
    Client().post("/ep/v1/", b"<request><action>14044790000</action></request>", content_type="text/xml")
    Client().get("/ep/v1/")
    requests = [line for line in lines() if line["event"] == "request"]
    assert [(line["action"], line["code"], line["status"]) for line in requests] == [
        ("sendsavedmms", "E241", 200),
        ("", "E104", 200),
        ("", "E100", 405),
    ]
    assert requests[0]["account"] == records.account.pk
    assert all(line["ms"] > 0 for line in requests)


def test_accept_and_report_lines_have_batch_size_and_wait(records: SimpleNamespace, lines: Lines) -> None:
    Client().post("/ep/v1/", SEED.encode(), content_type="text/xml")
    authorization = {"authorization": "Basic bW1zYzpyZXBvcnQtc2VjcmV0"}
    body = report_body("M1", "14044790000", "Retrieved")
    Client().post("/mm7/att", body, content_type="text/xml", headers=authorization)
    batches = [(line["event"], line["batch"], line["batch_wait_ms"] >= 0) for line in lines() if "batch" in line]
    assert batches == [("request", 1, True), ("report", 1, True)]


def test_sweep_logs_reclaimed_leases_and_rows_per_step(records: SimpleNamespace, lines: Lines) -> None:
    past = datetime.now(UTC) - timedelta(minutes=1)
    for status in (Status.SENDING, Status.SENDING, Status.SUBMITTED, Status.IN_DOUBT):
        records.template.messages.create(
            account=records.account, carrier=records.carrier, number="14044790000", subject="", sender="28444",
            service=records.service, status=status, due_at=past, expires_at=past, created_at=past,
        )  # fmt: skip
    sweeper.sweep(datetime.now(UTC))
    sweeps = {line["step"]: line["rows"] for line in lines() if line["event"] == "sweep"}
    assert sweeps == {"reclaim_messages": 2, "expire_messages": 2}


def test_rows_retried_across_a_restart_are_logged(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db_retry, "RETRY_SCHEDULE", (0, 0))
    monkeypatch.setattr(db_retry, "connection", SimpleNamespace(close=lambda: None))
    failures = iter([OperationalError("restart")])

    def write(_: Sequence[int]) -> None:
        for failure in failures:
            raise failure

    db_retry.write_with_retry([1, 2, 3], write, owner=lambda _: None)
    (line,) = lines()
    assert (line["event"], line["rows"], line["tried"]) == ("results wait for the database", 3, 1)


@pytest.mark.django_db
def test_items_retried_after_a_failed_batch_are_logged(lines: Lines) -> None:
    def fail(batch: Batch[int]) -> list[int | Undecided]:
        raise ValueError(f"{next(batch)} is wrong")

    assert GroupCommit[int, int](fail, lambda item: -item).submit(1) == -1
    (line,) = lines()
    assert (line["event"], line["items"]) == ("batch failed, retrying each item alone", 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("to +14044790000", "to ***00"),
        ("+14044790000/TYPE=PLMN", "***00/TYPE=PLMN"),
        ("(14044790000, 491701234567)", "(***00, ***67)"),
        ("tel:1234567.", "tel:***67."),
        ("code 28444 of 31002", "code 28444 of 31002"),
        ("took 0.01234567s", "took 0.01234567s"),
        ("TU1TXzQ2Nw== 2026-11-22T15:59:08", "TU1TXzQ2Nw== 2026-11-22T15:59:08"),
        ("redis://:hunter2@10.0.0.1:6379/0 is down", "redis://***@10.0.0.1:6379/0 is down"),
        ("postgresql://mms:hunter2@db/mms", "postgresql://***@db/mms"),
        ("https://us:p@ss/w#rd?@host:80/a@b is down", "https://***@b is down"),
        ("https://host:8443/a@b", "https://host:8443/a@b"),
        ("https://h/p?id=7&token=abc&x=1#key=k", "https://h/p?id=7&token=***&x=1#key=***"),
        ("https://h/p?X-Amz-Signature=abc&amp;api_key=k)", "https://h/p?X-Amz-Signature=***&amp;api_key=***"),
        ("GET /API/wxml/1.3/?apikey=qTFk&to=1", "GET /API/wxml/1.3/?apikey=***&to=1"),
        ("https://h/?next=https%3A%2F%2Fi%2F%3Fsecret%3Dabc", "https://h/?next=https%3A%2F%2Fi%2F%3Fsecret%3D***"),
        ("to +1 404-479-0000, 1.404.479.0000", "to ***00, ***00"),
        ("(404) 479-0000; +49 (0)170 1234567", "***00; ***67"),
        ("GET /?q=%2B14044790000&r=%2B1+404+479-0000", "GET /?q=%2B***00&r=%2B***00"),
        ("no route to 192.168.100.200:443", "no route to 192.168.100.200:443"),
        ("2026-11-22 15:59:08 took 12.345678 s", "2026-11-22 15:59:08 took 12.345678 s"),
    ],
)
def test_numbers_and_passwords_are_masked(text: str, expected: str) -> None:
    assert logs.mask(text) == expected


def test_secret_fields_are_masked(lines: Lines) -> None:
    structlog.get_logger("tests").info("a call", api_key=KEY, password="hunter2", token="t", account=7)
    assert {name: lines()[-1][name] for name in ("api_key", "password", "token", "account")} == {
        "api_key": "***",
        "password": "***",
        "token": "***",
        "account": 7,
    }


def test_rejected_row_is_masked(records: SimpleNamespace, lines: Lines) -> None:
    try:
        with transaction.atomic():
            records.template.messages.create(
                account=records.account, carrier=records.carrier, number="14044790000", subject="Dear\nBill"
            )
    except DatabaseError:
        logging.getLogger("tests").exception("it broke")
    line = lines()[-1]
    assert "Failing row contains (...)" in line["exception"]
    assert "Bill" not in json.dumps(line)


@pytest.mark.parametrize(
    ("terminal", "setting", "expected"),
    [(True, "", False), (False, "", True), (True, "true", True), (False, "false", False)],
)
def test_terminal_gets_plain_lines_and_others_json(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, setting: str, expected: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.setenv("LOG_JSON", setting)
    assert logs.use_json() == expected


def test_granian_uses_the_same_format() -> None:
    """Its main process has no Django, so its log configuration must not need it."""
    script = (
        "import json, logging, sys; from granian.log import configure_logging, LogLevels\n"
        "configure_logging(LogLevels.info, json.load(open('platform/config/granian.json')))\n"
        "logging.getLogger('_granian').info('Listening at: %s', '14044790000')\n"
        "assert 'django' not in sys.modules"
    )
    checkout = Path(__file__).resolve().parents[2]
    run = subprocess.run([sys.executable, "-c", script], cwd=checkout, env={"PYTHONPATH": "platform"},
                         capture_output=True, text=True, check=True)  # fmt: skip
    line = json.loads(run.stderr)
    assert (line["event"], line["level"], line["logger"]) == ("Listening at: ***00", "info", "_granian")
