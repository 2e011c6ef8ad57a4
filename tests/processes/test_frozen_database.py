"""A database that vanishes without a word, as a machine that loses its network or its disk."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.models.signals import pre_migrate

from base import sql, time_limits
from config.embedded.ports import HOST, free_port
from mms.models import Message
from tests.processes.frozen import Proxy
from tests.processes.messages import number, request
from tests.processes.platform_under_test import Broker, environment, eventually

REQUESTS = 24  # more than the process handles at a time
LONGEST = time_limits.ANSWER + 2 * (time_limits.CHECKOUT + time_limits.CHECK)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy(urlsplit(environment()["DATABASE_URL"]).port or 0)
    yield proxy
    proxy.close()


def url_through(proxy: Proxy) -> str:
    parts = urlsplit(environment()["DATABASE_URL"])
    return parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{proxy.port}")).geturl()


@contextmanager
def web(variables: dict[str, str], log: Path) -> Iterator[int]:
    """Run a web process with an environment of its own, and yield its port."""
    port = free_port()
    command = [sys.executable, "-m", "config.web", f"--host={HOST}", f"--port={port}", "--workers=1"]
    with log.open("wb") as output, subprocess.Popen(command, env=variables, stdout=output, stderr=output) as process:
        try:
            eventually(lambda: "Started worker-1" in log.read_text(errors="replace"))
            yield port
        finally:
            process.terminate()
            process.wait(60)


def call(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes, float]:
    """Return the status, the body, and the seconds until they arrived."""
    begin = time.monotonic()
    with closing(HTTPConnection(HOST, port, timeout=90)) as client:
        client.request(method, path, body, {"Content-Type": "text/xml"})
        reply = client.getresponse()
        return reply.status, reply.read(), time.monotonic() - begin


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_vanished_database_fails_requests_and_no_probe(
    records: SimpleNamespace, broker: Broker, proxy: Proxy, tmp_path: Path
) -> None:
    variables = {**environment(), "REDIS_URL": broker.url, "DATABASE_URL": url_through(proxy)}
    with web(variables, tmp_path / "web.log") as port, ThreadPoolExecutor(REQUESTS) as customers:

        def send(to: str) -> tuple[int, bytes, float]:
            return call(port, "POST", "/ep/v1/", request(to))

        assert b"Success" in send(number())[1]
        proxy.freeze()
        sent = [customers.submit(send, number()) for _ in range(REQUESTS)]
        status, body, seconds = call(port, "GET", "/readyz")
        assert (status, json.loads(body)["database"]) == (503, "no answer within 2 seconds")
        assert seconds < 3
        assert call(port, "GET", "/healthz")[2] < 1
        answers = [each.result() for each in sent]
        assert {(status, b"<error-code>E503</error-code>" in body) for status, body, _ in answers} == {(500, True)}
        assert max(seconds for _, _, seconds in answers) < LONGEST
        print(f"answers after {sorted(round(seconds, 1) for _, _, seconds in answers)} seconds")  # noqa: T201
        proxy.thaw()
        eventually(lambda: call(port, "GET", "/readyz")[0] == 200)
        assert b"Success" in send(number())[1]
    assert Message.objects.count() == 2


def test_silent_server_ends_the_connection(proxy: Proxy) -> None:
    with time_limits.Connection.connect(url_through(proxy), autocommit=True) as server:
        server.time_limit = 0.5
        proxy.freeze()
        with pytest.raises(psycopg.OperationalError, match=r"did not answer within 0\.5 seconds"):
            server.execute("SELECT 1")
        assert server.closed


@pytest.mark.django_db
def test_connections_notice_a_vanished_machine() -> None:
    """The kernel's limits cannot be tried on one machine: it would answer for the peer."""
    sql.fetch_rows("SELECT 1", [])
    with socket.socket(fileno=socket.dup(connection.connection.pgconn.socket)) as own:
        assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        assert [own.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [10, 5, 3, 15_000]
    ((idle,),) = sql.fetch_rows("SELECT current_setting('tcp_keepalives_idle')", [])
    assert idle == "10"


def shown() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'current_setting({name!r})' for name in time_limits.SERVER)}")
        return list(cursor.fetchone())[:3]


@pytest.mark.django_db
def test_migrations_run_without_time_limits() -> None:
    seen: list[tuple[list[str], float | None]] = []

    def record(**_: object) -> None:
        seen.append((shown(), connection.connection.time_limit))

    usual = shown()
    pre_migrate.connect(record)
    try:
        call_command("migrate", verbosity=0)
    finally:
        pre_migrate.disconnect(record)
    assert usual == ["20s", "5s", "1min"]
    assert (seen[0], shown(), connection.connection.time_limit) == ((["0", "0", "0"], None), usual, time_limits.ANSWER)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_limits_that_cannot_be_lifted_still_hold() -> None:
    connection.ensure_connection()
    server = connection.connection
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [server.info.backend_pid])
    with pytest.raises(OperationalError), time_limits.lifted():
        pass
    assert server.time_limit == time_limits.ANSWER
    connection.close()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_statement_ends_at_its_time_limit() -> None:
    with sql.brief_lock_waits(1), connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '50ms'")
        try:
            with pytest.raises(OperationalError) as raised:
                cursor.execute("SELECT pg_sleep(20)")
            assert sql.has_timed_out(raised.value)
            cursor.execute("SELECT 1")
        finally:
            cursor.execute("RESET statement_timeout")
