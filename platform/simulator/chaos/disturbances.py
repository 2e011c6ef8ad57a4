"""Disturbances from outside the platform's processes: silent connections, a held row, a migration while it serves."""

import resource
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import psycopg

from config.embedded.ports import HOST

SILENT_CONNECTIONS = 1500  # more than the 1,024 that granian accepts by default
OPEN_FILES = 2 * SILENT_CONNECTIONS
CONNECT_TIMEOUT = 5.0  # seconds
# Tries of a migration, each of which waits so long for the lock: with a longer wait it would block all others.
MIGRATION_TRIES = 10
LOCK_TIMEOUT = "500ms"

HOLD = "SELECT FROM billing_balance ORDER BY random() LIMIT 1 FOR UPDATE"
# The type changes at each run, and so does the result type of every prepared statement that selects the column.
WIDEN = "ALTER TABLE mms_message ALTER client_reference TYPE varchar({length})"
FIRST_LENGTH = 201  # the column has 200


@dataclass
class Disturbances:
    """The disturbances of one run; each is begun and ended by turns."""

    database_url: str
    web_port: int
    silent: list[socket.socket] = field(default_factory=list)
    holder: psycopg.Connection | None = None
    lengths: "count[int]" = field(default_factory=lambda: count(FIRST_LENGTH))

    def open_silent_connections(self) -> None:
        """Open connections to the web process that send nothing, as many as it accepts."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES if hard < 0 else min(OPEN_FILES, hard), hard))
        with suppress(OSError):  # the web process is down, or this process may open no more files
            while len(self.silent) < SILENT_CONNECTIONS:
                self.silent.append(socket.create_connection((HOST, self.web_port), CONNECT_TIMEOUT))

    def close_silent_connections(self) -> None:
        while self.silent:
            self.silent.pop().close()

    def hold_row(self) -> None:
        """Lock the balance of one account, as an operator's open transaction would."""
        self.holder = psycopg.connect(self.database_url)
        self.holder.execute(HOLD)

    def release_row(self) -> None:
        if self.holder:
            self.holder.close()
            self.holder = None

    def migrate(self) -> None:
        """Widen a column, as a migration does while the former version serves.

        Raises LockNotAvailable if a transaction of the platform holds the table during all tries.
        """
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
            statement = WIDEN.format(length=next(self.lengths))
            for _ in range(MIGRATION_TRIES - 1):
                with suppress(psycopg.errors.LockNotAvailable):
                    connection.execute(statement)
                    return
            connection.execute(statement)
