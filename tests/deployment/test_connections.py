"""DATABASE_URL and REDIS_URL: every option reaches the server, and TLS is verified by all clients or by none."""

import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from pytest_django import Settings

from config.embedded.ports import free_port
from mms.doctor import encryption
from mms.doctor.finding import Level
from tests.deployment.tls import AUTHORITY, tls_server

SETUP = "import django; django.setup()\n"
QUERY = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT current_setting('search_path'), current_setting('statement_timeout')")
    print(*cursor.fetchone(), sep="|")
print(connection.connection.info.get_parameters().get("connect_timeout"))
"""
BROKER = """
from config.celery import app
from mms.runtime import wakeup
for ping in (wakeup.connection().ping, lambda: app.connection_for_write().channel().client.ping()):
    try:
        print("connected", ping())
    except wakeup.BROKER_ERRORS as problem:
        print("refused" if "certificate verify failed" in str(problem).lower() else problem)
"""
DOCTOR = """
from mms.doctor import encryption
print(*[finding.text for check in ("database", "broker") for finding in encryption.CHECKS[check]()], sep="\\n")
"""
TLS = "encrypted, and the server's certificate is verified"


def run(code: str, **variables: str) -> list[str]:
    """Run the code in a process with these variables, and return the lines that it printed or its last error."""
    environment = {**os.environ, "LOG_LEVEL": "ERROR", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", SETUP + code]
    done = subprocess.run(command, env=environment | variables, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else done.stderr.splitlines()[-3:]


def database(query: str = "", host: str = "", port: int = 0) -> str:
    """Return the DATABASE_URL of the tests with a query, and with another host and port."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    credentials, _, address = parts.netloc.rpartition("@")
    address = f"{host}:{port}" if port else host or address
    return parts._replace(netloc=f"{credentials}@{address}", query=query).geturl()


@pytest.fixture(scope="module")
def tls_database() -> Iterator[int]:
    with tls_server(urlsplit(os.environ["DATABASE_URL"]).port or 0, postgres=True) as port:
        yield port


@pytest.fixture(scope="module")
def tls_broker() -> Iterator[str]:
    """The address of the broker behind TLS, with its password."""
    parts = urlsplit(os.environ["REDIS_URL"])
    with tls_server(parts.port or 0) as port:
        yield f"rediss://:{parts.password}@localhost:{port}/0"


@pytest.mark.parametrize("query", ["sslmode=require", f"sslmode=verify-full&sslrootcert={AUTHORITY}"])
def test_database_without_tls_is_refused_where_demanded(query: str) -> None:
    assert "does not support SSL" in run(DOCTOR, DATABASE_URL=database(query))[0]


def test_database_options_are_added_to_the_time_limits() -> None:
    url = database("options=-c%20search_path%3Dmms&connect_timeout=7")
    assert run(QUERY, DATABASE_URL=url) == ["mms|20s", "7"]
    url = database("options=-c%20statement_timeout%3D3s")
    assert run(QUERY, DATABASE_URL=url)[0] == '"$user", public|3s'


def test_second_of_two_hosts_is_used() -> None:
    parts = urlsplit(os.environ["DATABASE_URL"])
    url = database(host=f"127.0.0.1:{free_port()},{parts.hostname}:{parts.port}")
    assert run(QUERY, DATABASE_URL=url) == ['"$user", public|20s', "5"]


def test_unknown_option_stops_the_start_and_hides_the_password() -> None:
    lines = "".join(run(QUERY, DATABASE_URL=database("sslmod=require")))
    assert 'DATABASE_URL: invalid URI query parameter: "sslmod"' in lines
    for url in ("postgresql://mms:hunter2@[::1/mms", "pgsql://mms:hunter2@db/mms"):
        lines = "".join(run(QUERY, DATABASE_URL=url))
        assert ("DATABASE_URL: " in lines, "hunter2" in lines) == (True, False)


def test_database_certificate_of_another_host_is_refused(tls_database: int) -> None:
    url = database(f"sslmode=verify-full&sslrootcert={AUTHORITY}", "127.0.0.1", tls_database)
    assert 'does not match host name "127.0.0.1"' in run(DOCTOR, DATABASE_URL=url)[0]


@pytest.mark.parametrize("query", ["", "?ssl_cert_reqs=required"])
def test_unknown_authority_is_refused_by_every_client(tls_broker: str, query: str) -> None:
    assert run(BROKER, REDIS_URL=tls_broker + query) == ["refused"] * 2


@pytest.mark.parametrize("query", [f"?ssl_ca_certs={AUTHORITY}", "?ssl_cert_reqs=none"])
def test_known_authority_is_accepted_by_every_client(tls_broker: str, query: str) -> None:
    assert run(BROKER, REDIS_URL=tls_broker + query) == ["connected True"] * 2


def test_other_host_is_refused_by_every_client(tls_broker: str) -> None:
    url = tls_broker.replace("localhost", "127.0.0.1") + f"?ssl_ca_certs={AUTHORITY}"
    assert run(BROKER, REDIS_URL=url) == ["refused"] * 2


def test_doctor_says_which_connection_is_verified(tls_database: int, tls_broker: str) -> None:
    verified = f"sslmode=verify-full&sslrootcert={AUTHORITY}"
    assert run(
        DOCTOR,
        DATABASE_URL=database(verified, "localhost", tls_database),
        REDIS_URL=f"{tls_broker}?ssl_ca_certs={AUTHORITY}",
    ) == [f"database: {TLS}", f"broker: {TLS}"]
    unverified = run(
        DOCTOR,
        DATABASE_URL=database("sslmode=require", "localhost", tls_database),
        REDIS_URL=f"{tls_broker}?ssl_cert_reqs=none",
    )
    assert ["not verified" in line for line in unverified] == [True, True]
    assert ["not encrypted; 127.0.0.1" in line for line in run(DOCTOR)] == [True, True]


def test_plain_mail_server_at_a_public_address_warns(settings: Settings) -> None:
    settings.EMAIL_HOST = "1.1.1.1"
    (found,) = encryption.mail()
    assert (found.level, found.text) == (Level.WARN, "mail: not encrypted, and 1.1.1.1 is a public address")
    settings.EMAIL_USE_SSL = True
    (found,) = encryption.mail()
    assert (found.level, found.text) == (Level.OK, f"mail: {TLS}")
