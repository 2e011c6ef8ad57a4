"""Checks of the connections to the servers: whether each is encrypted, and the server's certificate verified."""

import socket
import ssl
from collections.abc import Iterable
from typing import Any, Final

import psycopg
import redis
from django.conf import settings
from django.db import connection

from mms.doctor.finding import Check, Finding, fail, ok, warn
from mms.runtime import http_client, wakeup

VERIFIED: Final = "encrypted, and the server's certificate is verified"
UNVERIFIED: Final = "encrypted, but to whatever server answers: its certificate is not verified"


def database() -> Iterable[Finding]:
    """Check the connection to PostgreSQL, or to the pooler before it. Without our own pool, which hides the reason."""
    try:
        with psycopg.connect(**connection.get_connection_params()) as server:
            yield _database(server)
    except psycopg.OperationalError as problem:
        reason = str(problem).strip().partition("\n")[0]
        yield fail(f"database: {reason}", "Start the server of DATABASE_URL, or correct DATABASE_URL.")


def _database(server: psycopg.Connection[Any]) -> Finding:
    mode = next(option.val or b"" for option in server.pgconn.info if option.keyword == b"sslmode").decode()
    if not server.pgconn.ssl_in_use:
        return _plain("database", server.info.hostaddr, "Add ?sslmode=verify-full to DATABASE_URL.")
    if mode == "verify-full":
        return ok(f"database: {VERIFIED}")
    text = UNVERIFIED if mode != "verify-ca" else "encrypted; the certificate may be any server's of its authority"
    return warn(f"database: {text}", "Set sslmode=verify-full and sslrootcert in DATABASE_URL.")


def broker() -> Iterable[Finding]:
    """Check the connection to the Redis-protocol server."""
    with wakeup.connection() as client:
        try:
            server = client.connection_pool.get_connection()
        except wakeup.BROKER_ERRORS as problem:
            yield fail(f"broker: no connection ({type(problem).__name__})", "Correct REDIS_URL, or start the server.")
            return
        if not isinstance(server, redis.SSLConnection):
            yield _plain("broker", getattr(server, "host", ""), "Write REDIS_URL with rediss://.")
        elif server.cert_reqs == ssl.CERT_REQUIRED and server.check_hostname:
            yield ok(f"broker: {VERIFIED}")
        else:
            yield warn(f"broker: {UNVERIFIED}", "Remove ssl_cert_reqs and ssl_check_hostname from REDIS_URL.")


def mail() -> Iterable[Finding]:
    """Check the settings of the connection to the mail server. Django verifies its certificate."""
    if settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL:
        yield ok(f"mail: {VERIFIED}")
    else:
        yield _plain("mail", settings.EMAIL_HOST, "Set EMAIL_USE_TLS or EMAIL_USE_SSL to true.")


def _plain(server: str, host: str, remedy: str) -> Finding:
    """Return the finding for a connection without encryption, by the network that it goes through."""
    public = [address for address in _addresses(host) if http_client.is_public(address)]
    if public:
        return warn(f"{server}: not encrypted, and {public[0]} is a public address", remedy)
    return ok(f"{server}: not encrypted; {host or 'a socket'} is on this machine or in a private network")


def _addresses(host: str) -> list[str]:
    """Return the addresses of the host; none for a socket in a folder, or a name that is unknown."""
    try:
        return [str(address[0]) for *_, address in socket.getaddrinfo(host, None)] if host else []
    except OSError:
        return []


CHECKS: Final[dict[str, Check]] = {
    "database": database,
    "broker": broker,
    "mail": mail,
}
