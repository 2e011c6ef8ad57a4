"""The doctor finds what is wrong with a deployment, and says what to do about it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django.fixtures import Settings

from billing.models import Proof, SenderAddress
from mms import doctor
from mms.doctor import deployment, servers, setup, traffic
from mms.doctor.finding import Check, Finding, Level
from mms.models import Carrier, Encoding, Medium, Postback
from tests.scripted import Scripted

Capture = pytest.CaptureFixture[str]
STRONG = "5fL2mW9qZxT7vB1nYc8kHd3gRj6pEs0aUo4iLtQwXzVbNmKhJf"


def later(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)


def worst(check: Check) -> Finding:
    """The worst finding of a check, the first of those that are alike."""
    order = [Level.FAIL, Level.WARN, Level.OK]
    return min(check(), key=lambda finding: order.index(finding.level))


@pytest.mark.parametrize("check", ["database", "migrations", "clock", "broker", "storage"])
def test_the_servers_of_these_tests_are_well(db: None, check: str) -> None:
    assert next(iter(servers.CHECKS[check]())).level == Level.OK


def test_a_commit_that_is_not_durable_must_be_mended(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('synchronous_commit', 'off', true)")
    found = worst(servers.durability)
    assert (found.level, "synchronous_commit" in found.text) == (Level.FAIL, True)


def test_a_queue_that_nobody_serves_is_told_with_the_command_that_starts_a_worker(db: None) -> None:
    found = list(servers.workers())
    assert [finding.level for finding in found] == [Level.FAIL] * 3
    assert found[0].remedy == "Start: celery -A config worker -Q flow"


def test_a_broker_that_is_down_is_told_without_its_password(db: None, settings: Settings) -> None:
    settings.REDIS_URL = "redis://:hunter2@127.0.0.1:1/0"
    found = worst(servers.broker)
    assert (found.level, "hunter2" in found.text + found.remedy) == (Level.FAIL, False)


def test_a_file_that_others_stored_and_that_is_not_here_means_another_storage(
    world: SimpleNamespace, settings: Settings, tmp_path: Path
) -> None:
    assert worst(servers.storage).level == Level.OK
    settings.MEDIA_ROOT = tmp_path
    found = worst(servers.storage)
    assert (found.level, "Share one MEDIA_ROOT" in found.remedy) == (Level.FAIL, True)


def test_a_storage_that_takes_nothing_must_be_mended(db: None, settings: Settings, tmp_path: Path) -> None:
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
        ("ALLOWED_HOSTS", ["*"], deployment.hosts, Level.WARN),
        ("ALLOWED_HOSTS", ["localhost"], deployment.hosts, Level.WARN),
        ("ALLOWED_HOSTS", ["mms.example.com"], deployment.hosts, Level.OK),
        ("SESSION_COOKIE_SECURE", False, deployment.cookies, Level.WARN),
        ("SESSION_COOKIE_SECURE", True, deployment.cookies, Level.OK),
        ("METRICS_TOKEN", "", deployment.metrics, Level.WARN),
        ("METRICS_TOKEN", "secret", deployment.metrics, Level.WARN),
        ("METRICS_TOKEN", STRONG, deployment.metrics, Level.OK),
        ("OUTBOUND_ALLOWED_NETWORKS", ["10.8.0.0/24"], deployment.networks, Level.OK),
        ("OUTBOUND_ALLOWED_NETWORKS", ["10.8.0.1/24"], deployment.networks, Level.FAIL),
        ("OUTBOUND_ALLOWED_NETWORKS", ["169.254.0.0/16"], deployment.networks, Level.WARN),
        ("OUTBOUND_ALLOWED_NETWORKS", ["127.0.0.0/8"], deployment.networks, Level.WARN),
        ("TRUSTED_PROXIES", ["0.0.0.0/0"], deployment.networks, Level.FAIL),
        ("TRUSTED_PROXIES", ["proxy"], deployment.networks, Level.FAIL),
    ],
)
def test_settings_are_judged(settings: Settings, name: str, value: object, check: Check, level: Level) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS, settings.TRUSTED_PROXIES = [], []
    setattr(settings, name, value)
    found = worst(check)
    assert found.level == level
    assert (found.remedy == "") == (level == Level.OK)


def test_a_carrier_that_answers_and_was_never_used_wants_a_test(world: SimpleNamespace, mmsc: Scripted) -> None:
    found = worst(setup.carriers)
    assert (found.level, found.remedy) == (Level.WARN, "Send a test message to a handset of yours.")
    assert "secret" not in found.text


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "its MMSC has no address"),
        ("http://127.0.0.1:1/mm7", "no connection to 127.0.0.1, port 1: Connection refused"),
        ("http://10.99.0.1/mm7", "10.99.0.1 is not a public address"),
    ],
)
def test_a_carrier_that_cannot_be_reached_must_be_mended(world: SimpleNamespace, url: str, says: str) -> None:
    Carrier.objects.update(mmsc_url=url)
    found = worst(setup.carriers)
    assert (found.level, found.text) == (Level.FAIL, f"AT&T: {says}")


def test_a_sender_that_no_carrier_has_is_told(world: SimpleNamespace) -> None:
    assert worst(setup.senders).level == Level.OK
    SenderAddress.objects.update(operators=[99999])
    assert "28444 (US) of Customer is provisioned on no enabled carrier" in worst(setup.senders).text


@pytest.mark.parametrize(("minutes", "level"), [(0.5, Level.OK), (2, Level.WARN), (20, Level.FAIL)])
def test_what_is_overdue_is_told_by_its_queue(world: SimpleNamespace, minutes: float, level: Level) -> None:
    now = later(minutes=-minutes)
    Postback.objects.create(account=world.account, code="N101", fields={}, due_at=now, created_at=now)
    found = worst(traffic.overdue)
    assert found.level == level
    assert level == Level.OK or "queue postbacks" in found.remedy


def test_what_was_given_up_or_broke_its_worker_is_told(world: SimpleNamespace) -> None:
    assert {worst(check).level for check in (traffic.postbacks, traffic.encodings, traffic.waiting)} == {Level.OK}
    now = later(hours=-1)
    Postback.objects.create(
        account=world.account, code="N101", fields={}, status="given-up", created_at=now, ended_at=now
    )
    medium = Medium.objects.create(sha256="0" * 64, kind="video", mime_type="video/mp4", size=1)
    Encoding.objects.create(medium=medium, due_at=now, tries=2)
    assert '--account "Customer"' in worst(traffic.postbacks).remedy
    assert worst(traffic.encodings).level == Level.WARN


def test_the_books_must_have_been_proven_of_late(db: None) -> None:
    assert worst(traffic.books).level == Level.WARN
    Proof.objects.create(at=later(days=-3), accounts=0)
    assert worst(traffic.books).level == Level.WARN
    Proof.objects.create(at=later(hours=-3), accounts=1)
    assert worst(traffic.books).level == Level.FAIL
    Proof.objects.create(at=later(hours=-2), accounts=0)
    assert worst(traffic.books).level == Level.OK


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without asking around for workers, which takes a second."""
    monkeypatch.setitem(servers.CHECKS, "workers", list)


def test_the_command_shows_each_check_in_its_column_with_what_to_do_and_fails(
    world: SimpleNamespace, quick: None, capsys: Capture, monkeypatch: pytest.MonkeyPatch
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


def test_the_doctor_looks_on_when_one_check_breaks(
    world: SimpleNamespace, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> list[Finding]:
        raise RuntimeError("out of order\nin two lines")

    monkeypatch.setitem(servers.CHECKS, "clock", broken)
    found = {diagnosis.check: diagnosis.finding for diagnosis in doctor.run_checks()}
    assert (found["clock"].level, found["clock"].text) == (Level.FAIL, "RuntimeError: out of order")
    assert found["books"].level == Level.WARN


def test_with_all_in_order_or_only_to_be_looked_at_the_command_succeeds(
    world: SimpleNamespace, quick: None, settings: Settings, capsys: Capture
) -> None:
    settings.SECRET_KEY = STRONG
    call_command("doctor", no_color=True)
    assert "to fix" not in capsys.readouterr().out
