"""Probes: whether the process is alive, and whether it is ready."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django.fixtures import Settings

from base import request_slots
from base.request_slots import SLOTS
from config.wsgi import application
from mms.observation import readiness
from mms.observation.readiness import NotReady, Readiness

UNKNOWN_HOST = {"host": "10.11.12.13:8000"}


def ready() -> tuple[int, dict[str, Any]]:
    answer = Client().get("/readyz", headers=UNKNOWN_HOST)
    return answer.status_code, json.loads(answer.content)


def test_healthz_needs_no_database_and_accepts_any_host() -> None:
    answer = Client().get("/healthz", headers=UNKNOWN_HOST)
    assert (answer.status_code, answer.content) == (200, b"alive\n")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_need_no_request_slot(db: None, path: str) -> None:
    environ: dict[str, Any] = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    statuses: list[str] = []

    def start(status: str, *_: Any) -> Callable[[bytes], object]:
        statuses.append(status)
        return bytes

    with ThreadPoolExecutor(1) as pool, ExitStack() as slots:
        for number in range(SLOTS):
            slots.enter_context(request_slots.held(f"192.0.2.{number}"))
        pool.submit(application, environ, start).result(5)
    assert statuses == ["200 OK"]


def test_readyz_passes_with_all_servers(db: None) -> None:
    assert ready() == (200, {"database": "ok", "migrations": "ok", "broker": "ok", "storage": "ok"})


def test_storage_check_leaves_no_file(db: None, settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    assert ready()[0] == 200
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_readyz_fails_without_storage(db: None, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings.MEDIA_ROOT = tmp_path / "file"
    status, checks = ready()
    assert (status, checks["database"]) == (503, "ok")
    assert checks["storage"].startswith("failed: ")


def test_readyz_fails_without_broker_and_hides_secrets(db: None, settings: Settings) -> None:
    settings.REDIS_URL = "redis://mms:hunter2@127.0.0.1:1/0"
    status, checks = ready()
    assert status == 503
    assert checks["broker"] == "failed: ConnectionError; the log says more"
    assert not any(secret in json.dumps(checks) for secret in ("hunter2", "127.0.0.1", str(settings.MEDIA_ROOT)))


def test_missing_migration_is_reported(db: None) -> None:
    readiness.migrations()
    MigrationRecorder.Migration.objects.filter(app="mms", name="0001_initial").delete()
    with pytest.raises(NotReady, match=r"1 not applied; run: python manage\.py migrate"):
        readiness.migrations()


def test_hanging_check_times_out_and_runs_once_at_a_time(db: None) -> None:
    free, runs = Event(), []

    def hang() -> None:
        runs.append(1)
        free.wait(10)

    checks = Readiness({"hanging": hang, "well": lambda: None}, time_limit=0.05)
    for _ in range(3):
        assert checks.problems() == {"hanging": "no answer within 0.05 seconds", "well": ""}
    assert len(runs) == 1
    free.set()
    checks.time_limit = 10
    assert checks.problems() == {"hanging": "", "well": ""}


def test_checks_share_one_time_limit() -> None:
    free = Event()

    def hang() -> None:
        free.wait(10)

    checks = Readiness(dict.fromkeys("abcd", hang), time_limit=0.2)
    began = time.monotonic()
    assert set(checks.problems().values()) == {"no answer within 0.2 seconds"}
    assert time.monotonic() - began < 2 * checks.time_limit
    free.set()
