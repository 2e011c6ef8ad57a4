"""Time limits of the database: no held row, stuck statement or vanished server keeps a caller waiting for ever.

The server ends statements, waits for locks and idle transactions of ours; the client ends the wait for a server that
does not answer. The limits hold in every process; what must run longer lifts them (`lifted`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, ParamSpec, TypeVar

import psycopg
from django.db import Error, connection

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# The server's own limits. A transaction that waits for its client for a minute belongs to one that hangs or is gone.
SERVER: Final = {
    "statement_timeout": "20s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
    # So that the server notices a client whose machine is gone, and releases its locks.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
# Options of libpq. Seconds, except tcp_user_timeout, which is in milliseconds.
OPTIONS: Final[dict[str, Any]] = {
    "options": " ".join(f"-c {name}={value}" for name, value in SERVER.items()),
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
# Seconds for an answer: longer than any statement may take. The network's time limits above do not notice a server
# that is frozen, or that waits for its disk.
ANSWER: Final = 25.0
CHECK: Final = 2.0  # seconds for the check of a connection before it is used
CHECKOUT: Final = 5.0  # seconds to wait for a connection of the pool

LIFT: Final = "".join(f"SET {name} = 0;" for name in SERVER if name.endswith("_timeout"))
RESTORE: Final = "".join(f"RESET {name};" for name in SERVER if name.endswith("_timeout"))


class Connection(psycopg.Connection[Any]):
    """A connection that is closed when the server does not answer in time."""

    time_limit: float | None = ANSWER

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Consume the generator, as the driver does, but for at most `time_limit` seconds. Raises OperationalError."""
        try:
            return super().wait(gen, interval, timeout or self.time_limit)
        except psycopg.errors._WaitTimeout:
            if timeout:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the database did not answer within {self.time_limit:g} seconds") from None

    def execute(self, query: Any, *args: Any, **options: Any) -> Any:
        """Execute the statement; an empty one, by which the pool checks its connections, is to be answered at once."""
        if query:
            return super().execute(query, *args, **options)
        usual, self.time_limit = self.time_limit, CHECK
        try:
            return super().execute(query, *args, **options)
        finally:
            self.time_limit = usual


@contextmanager
def lifted() -> Iterator[None]:
    """Lift the time limits from this thread's connection in the block: for migrations and for reads of whole tables."""
    connection.ensure_connection()
    server = connection.connection
    usual, server.time_limit = server.time_limit, None
    try:
        _set(LIFT)
        yield
    finally:
        server.time_limit = usual
        if connection.connection is server:
            with suppress(Error):  # a rollback restores them, too
                _set(RESTORE)


def without(work: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorate a function that runs without these time limits."""
    return lifted()(work)


def _set(statements: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statements)
