"""The doctor reports problems of a deployment, with remedies."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django.fixtures import Settings

from billing.models import Proof, SenderAddress
from mms import doctor
from mms.doctor import deployment, servers, setup, traffic
from mms.doctor.finding import Check, Finding, Level
from mms.models import Carrier, CarrierFeed, Encoding, Medium, Message, Postback
from mms.runtime.http_client import Purpose
from tests.scripted import ScriptedServer

Capture = pytest.CaptureFixture[str]
STRONG = "5fL2mW9qZxT7vB1nYc8kHd3gRj6pEs0aUo4iLtQwXzVbNmKhJf"


def later(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)


def worst(check: Check) -> Finding:
    """Return the first finding of the highest severity."""
    severity = [Level.FAIL, Level.WARN, Level.OK]
    return min(check(), key=lambda finding: severity.index(finding.level))


@pytest.mark.parametrize("check", ["database", "migrations", "clock", "broker", "storage"])
def test_servers_of_the_test_run_pass_their_checks(db: None, check: str) -> None:
    assert next(iter(servers.CHECKS[check]())).level == Level.OK


def test_synchronous_commit_off_fails(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('synchronous_commit', 'off', true)")
    found = worst(servers.durability)
    assert (found.level, "synchronous_commit" in found.text) == (Level.FAIL, True)


def test_queue_without_worker_fails_with_start_command(db: None) -> None:
    found = list(servers.workers())
    assert [finding.level for finding in found] == [Level.FAIL] * 3
    assert found[0].remedy == "Start: celery -A config worker -Q flow"


def test_broker_failure_hides_the_password(db: None, settings: Settings) -> None:
    settings.REDIS_URL = "redis://:hunter2@127.0.0.1:1/0"
    found = worst(servers.broker)
    assert (found.level, "hunter2" in found.text + found.remedy) == (Level.FAIL, False)


def test_missing_files_suggest_sharing_the_storage(
    records: SimpleNamespace, settings: Settings, tmp_path: Path
) -> None:
    assert worst(servers.storage).level == Level.OK
    settings.MEDIA_ROOT = tmp_path
    found = worst(servers.storage)
    assert (found.level, "Share one MEDIA_ROOT" in found.remedy) == (Level.FAIL, True)


def test_unwritable_storage_fails(db: None, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings.MEDIA_ROOT = tmp_path / "file"
    assert worst(servers.storage).level == Level.FAIL


@pytest.mark.parametrize(
    ("name", "value", "check", "level"),
    [
        ("DEBUG", True, deployment.debug, Level.FAIL),
        ("DEBUG", False, deployment.debug, Level.OK),
        ("SECRET_KEY", "change me", deployment.secret_key, Level.FAIL),
        ("SECRET_KEY", "a" * 60, deployment.secret_key, Level.FAIL),
        ("SECRET_KEY", STRONG, deployment.secret_key, Level.OK),
        ("SECRET_KEY_FALLBACKS", ["change me"], deployment.secret_key, Level.FAIL),
        ("SECRET_KEY_FALLBACKS", [STRONG[::-1]], deployment.secret_key, Level.OK),
        ("API_KEY_SECRET", STRONG, deployment.api_key_secret, Level.WARN),
        ("API_KEY_SECRET", "change me", deployment.api_key_secret, Level.FAIL),
        ("API_KEY_SECRET", STRONG[::-1], deployment.api_key_secret, Level.OK),
        ("ALLOWED_HOSTS", ["*"], deployment.hosts, Level.WARN),
        ("ALLOWED_HOSTS", ["localhost"], deployment.hosts, Level.WARN),
        ("ALLOWED_HOSTS", ["mms.example.com"], deployment.hosts, Level.OK),
        ("SESSION_COOKIE_SECURE", False, deployment.cookies, Level.WARN),
        ("SESSION_COOKIE_SECURE", True, deployment.cookies, Level.OK),
        ("METRICS_TOKEN", "", deployment.metrics, Level.WARN),
        ("METRICS_TOKEN", "secret", deployment.metrics, Level.WARN),
        ("METRICS_TOKEN", STRONG, deployment.metrics, Level.OK),
        ("MMSC_ALLOWED_NETWORKS", ["10.8.0.0/24"], deployment.networks, Level.OK),
        ("POSTBACK_ALLOWED_NETWORKS", ["10.8.0.1/24"], deployment.networks, Level.FAIL),
        ("DOWNLOAD_ALLOWED_NETWORKS", ["169.254.0.0/16"], deployment.networks, Level.WARN),
        ("MMSC_ALLOWED_NETWORKS", ["127.0.0.0/8"], deployment.networks, Level.WARN),
        ("TRUSTED_PROXIES", ["0.0.0.0/0"], deployment.networks, Level.FAIL),
        ("TRUSTED_PROXIES", ["proxy"], deployment.networks, Level.FAIL),
    ],
)
def test_settings_get_the_expected_level(
    settings: Settings, name: str, value: object, check: Check, level: Level
) -> None:
    for networks in ("TRUSTED_PROXIES", *Purpose):
        setattr(settings, networks, [])
    settings.SECRET_KEY = STRONG
    setattr(settings, name, value)
    found = worst(check)
    assert found.level == level
    assert (found.remedy == "") == (level == Level.OK)


def test_unused_carrier_suggests_a_test_message(records: SimpleNamespace, mmsc: ScriptedServer) -> None:
    found = worst(setup.carriers)
    assert (found.level, found.remedy) == (Level.WARN, "Send a test message to a handset of yours.")
    assert "secret" not in found.text


def refuse(records: SimpleNamespace, **answer: Any) -> None:
    """Store a completed attempt that the MMSC refused with this answer."""
    at = later(minutes=-5)
    message = records.template.messages.create(
        account=records.account, carrier=records.carrier, number="14044790000", subject="", sender="28444",
        expires_at=at, created_at=at,
    )  # fmt: skip
    values = {"outcome": "transient", "started_at": at, "finished_at": at, "try_number": 1, "size": 1, **answer}
    message.attempts.create(carrier=records.carrier, **values)


@pytest.mark.parametrize(
    ("answer", "level", "text"),
    [
        ({"http_status": 401, "text": "HTTP 401: the body is not XML"}, Level.FAIL, "HTTP 401 the body is not XML (2,"),
        ({"http_status": 500, "code": 4001}, Level.FAIL, "its MMSC refuses us: HTTP 500 code 4001 (2, last at 20"),
        ({"http_status": 200, "code": 2003, "text": "no 14044790000"}, Level.OK, "HTTP 200 code 2003 no ***00 (2,"),
        ({"http_status": 503}, Level.OK, "its MMSC refused messages in the last day: HTTP 503 (2, last at 20"),
        ({"http_status": 401, "started_at": later(days=-2)}, Level.OK, ""),
    ],
)
def test_refusals_of_the_last_day_are_named(
    records: SimpleNamespace, mmsc: ScriptedServer, answer: dict[str, Any], level: Level, text: str
) -> None:
    refuse(records, **answer)
    refuse(records, **answer)
    refuse(records, outcome="submitted", code=1000, mmsc_id="M1")
    found = [finding for finding in setup.carriers() if "refuse" in finding.text]
    assert [finding.level for finding in found] == ([level] if text else [])
    assert all(text in finding.text and "secret" not in finding.text for finding in found)
    accepted = [finding for finding in setup.carriers() if "has accepted messages" in finding.text]
    assert bool(accepted) == (level == Level.OK)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("", "its MMSC has no address"),
        ("http://127.0.0.1:1/mm7", "no connection to 127.0.0.1, port 1: Connection refused"),
        ("http://10.99.0.1/mm7", "10.99.0.1 is not a public address"),
    ],
)
def test_unreachable_carrier_fails(records: SimpleNamespace, url: str, text: str) -> None:
    Carrier.objects.update(mmsc_url=url)
    found = worst(setup.carriers)
    assert (found.level, found.text) == (Level.FAIL, f"AT&T: {text}")


def test_sender_without_carrier_warns(records: SimpleNamespace) -> None:
    assert worst(setup.senders).level == Level.OK
    SenderAddress.objects.update(operators=[99999])
    assert "28444 (US) of Customer is provisioned on no enabled carrier" in worst(setup.senders).text


@pytest.mark.parametrize(("minutes", "level"), [(0.5, Level.OK), (2, Level.WARN), (20, Level.FAIL)])
def test_overdue_rows_are_reported_by_queue(records: SimpleNamespace, minutes: float, level: Level) -> None:
    now = later(minutes=-minutes)
    Postback.objects.create(account=records.account, code="N101", fields={}, due_at=now, created_at=now)
    found = worst(traffic.overdue)
    assert found.level == level
    assert level == Level.OK or "queue postbacks" in found.remedy


def test_given_up_postbacks_and_retried_encodings_warn(records: SimpleNamespace) -> None:
    assert {worst(check).level for check in (traffic.postbacks, traffic.encodings, traffic.waiting)} == {Level.OK}
    now = later(hours=-1)
    Postback.objects.create(
        account=records.account, code="N101", fields={}, status="given-up", created_at=now, ended_at=now
    )
    medium = Medium.objects.create(sha256="0" * 64, kind="video", mime_type="video/mp4", size=1)
    Encoding.objects.create(medium=medium, due_at=now, tries=2)
    assert '--account "Customer"' in worst(traffic.postbacks).remedy
    assert worst(traffic.encodings).level == Level.WARN


def test_ledger_reconciliation_must_be_recent_and_clean(db: None) -> None:
    assert worst(traffic.books).level == Level.WARN
    Proof.objects.create(at=later(days=-3), accounts=0)
    assert worst(traffic.books).level == Level.WARN
    Proof.objects.create(at=later(hours=-3), accounts=1)
    assert worst(traffic.books).level == Level.FAIL
    Proof.objects.create(at=later(hours=-2), accounts=0)
    assert worst(traffic.books).level == Level.OK


@pytest.fixture
def no_worker_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the check of the workers, which takes a second."""
    monkeypatch.setitem(servers.CHECKS, "workers", list)


def test_command_prints_checks_with_remedies_and_fails(
    records: SimpleNamespace, no_worker_check: None, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit, match="1"):
        call_command("doctor", no_color=True)
    shown = capsys.readouterr().out.splitlines()
    assert "  ok    migrations  all applied" in shown
    assert [line for line in shown if line.startswith("  fail  secret key  SECRET_KEY can be guessed")]
    assert all(len(line) <= 80 for line in shown)
    assert shown[-1].endswith(" to fix")
    assert [line for line in shown if line and not line.startswith(" ")][:-1] == list(doctor.GROUPS)


def test_broken_check_does_not_stop_the_others(
    records: SimpleNamespace, no_worker_check: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> list[Finding]:
        raise RuntimeError("out of order\nin two lines")

    monkeypatch.setitem(servers.CHECKS, "clock", broken)
    found = {diagnosis.check: diagnosis.finding for diagnosis in doctor.run_checks()}
    assert (found["clock"].level, found["clock"].text) == (Level.FAIL, "RuntimeError: out of order")
    assert found["books"].level == Level.WARN


def test_command_succeeds_with_warnings_only(
    records: SimpleNamespace, no_worker_check: None, settings: Settings, capsys: Capture
) -> None:
    settings.SECRET_KEY = settings.API_KEY_SECRET = STRONG
    call_command("doctor", no_color=True)
    assert "to fix" not in capsys.readouterr().out


def test_paused_carrier_is_reported_instead_of_its_backlog(records: SimpleNamespace) -> None:
    Message.objects.create(
        account=records.account, template=records.template, carrier=records.carrier, number="14044790000",
        sender="28444", status="accepted", due_at=later(hours=-1), expires_at=later(days=1), created_at=later(),
    )  # fmt: skip
    assert (worst(traffic.paused).level, worst(traffic.overdue).level) == (Level.OK, Level.FAIL)
    CarrierFeed.objects.create(carrier=records.carrier, failures=7, pauses=1, paused_until="2026-11-29T12:00:30Z")
    assert (worst(traffic.paused).level, worst(traffic.overdue).level) == (Level.FAIL, Level.OK)
    text = "AT&T: its MMSC did not answer 7 submits; the next is sent after 12:00:30 UTC"
    assert worst(traffic.paused).text == text
