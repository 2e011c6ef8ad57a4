"""Prepared statements for the hot paths: PostgreSQL parses and plans each once per connection, Django not at all.

After a migration has changed the type of a column, PostgreSQL refuses the prepared statements that return it. They are
then deallocated, and what failed is repeated: by `execute` a statement of its own, by `repeats_outdated` a transaction.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, wraps
from typing import Any, Final, ParamSpec, TypeAlias, TypeVar

import psycopg
import structlog
from django.db import Error, NotSupportedError, connection
from django.db.models import ForeignKey, Model
from psycopg_pool import PoolTimeout

log = structlog.get_logger()

Row = TypeVar("Row", bound=Model)
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# SQLSTATEs (PostgreSQL, appendix A).
OUTDATED: Final = "0A000"  # "cached plan must not change result type"
LOCK_TIMEOUT: Final = "55P03"
STATEMENT_TIMEOUT: Final = "57014"

# Ends with the transaction. The parameter is in milliseconds.
LIMIT_LOCK_WAITS: Final = "SELECT set_config('lock_timeout', %s, true)"

Rows: TypeAlias = list[tuple[Any, ...]]


class _Cursor(psycopg.Cursor[tuple[Any, ...]]):
    """A cursor that binds values on the server, unlike Django's, and prepares every statement."""

    def execute(self, query: Any, params: Any = None, **_: Any) -> "_Cursor":
        return super().execute(query, params, prepare=True)


@contextmanager
def pipeline() -> Iterator[None]:
    """Send the statements of the block without waiting for each other's results; they run in order.

    Their results are available after the block. If one fails, the block raises its error.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def execute(statement: str, values: Any) -> Callable[[], Rows]:
    """Execute the statement on Django's default connection and return a function that fetches its rows."""
    connection.ensure_connection()
    wrapped = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    cursor = wrapped(_Cursor(connection.connection))  # type: ignore[arg-type]  # the stubs accept only Django's own
    try:
        cursor.execute(statement, values)
    except NotSupportedError as problem:
        if connection.in_atomic_block or not _is_outdated(problem):
            raise
        _deallocate()
        cursor.execute(statement, values)
    return lambda: cursor.fetchall() if cursor.description else []


def fetch_rows(statement: str, values: Any) -> Rows:
    """Execute the statement on Django's default connection and return its rows."""
    return execute(statement, values)()


def fetch_objects(model: type[Row], condition: str, values: Any) -> list[Row]:
    """Return the model instances selected by the condition: all that follows FROM and the table in a SELECT."""
    selection, build = _selection(model)
    return [build(row) for row in fetch_rows(f"{selection} {condition}", values)]


def limit_lock_waits(seconds: float) -> None:
    """Let the statements of this transaction wait no longer than this for a lock: others wait for its end."""
    execute(LIMIT_LOCK_WAITS, [str(round(seconds * 1000))])


@contextmanager
def brief_lock_waits(seconds: float) -> Iterator[None]:
    """Let the statements of the block, in any transaction, wait no longer than this for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(round(seconds * 1000))])
    try:
        yield
    finally:
        with suppress(Error), connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")


def has_timed_out(problem: BaseException) -> bool:
    """Return whether the server ended a statement that waited for a lock, or worked, for too long.

    The transaction is rolled back then, also if the statement was its commit, and the connection can be used again.
    """
    return _sqlstate(problem) in {LOCK_TIMEOUT, STATEMENT_TIMEOUT}


def is_unreachable(problem: BaseException) -> bool:
    """Return whether the pool had no connection in time: another try would wait for as long."""
    return isinstance(problem.__cause__, PoolTimeout)


def repeats_outdated(work: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorate a unit of work, which is one transaction, so that it is repeated once if a statement is outdated.

    A call in another transaction raises: that transaction is the unit that has to be repeated.
    """

    @wraps(work)
    def repeated(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
        try:
            return work(*args, **options)
        except NotSupportedError as problem:
            if connection.in_atomic_block or not _is_outdated(problem):
                raise
        _deallocate()
        return work(*args, **options)

    return repeated


def _is_outdated(problem: BaseException) -> bool:
    return _sqlstate(problem) == OUTDATED


def _sqlstate(problem: BaseException) -> str | None:
    return getattr(problem.__cause__, "sqlstate", None)


def _deallocate() -> None:
    """Deallocate the prepared statements of this thread's connection; the driver forgets them, too."""
    log.info("prepared statements are outdated, as after a migration; the work is repeated")
    with suppress(Error), connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")


@cache
def _selection(model: type[Row]) -> tuple[str, Callable[[Sequence[Any]], Row]]:
    """Return the SELECT without its condition, and a function that builds an instance from a row."""
    fields = model._meta.concrete_fields
    table, *columns = map(connection.ops.quote_name, [model._meta.db_table, *(str(f.column) for f in fields)])
    names = [field.attname for field in fields]
    # The driver returns JSON, among others, as text.
    conversions = [(index, field, c) for index, field in enumerate(fields) for c in field.get_db_converters(connection)]

    def build(row: Sequence[Any]) -> Row:
        values = list(row)
        for index, field, convert in conversions:
            values[index] = convert(values[index], field, connection)
        return model.from_db(connection.alias, names, values)

    selection = f"SELECT {', '.join(f'{table}.{column}' for column in columns)} FROM {table}"  # noqa: S608 - column names
    return selection, build


def release_connection() -> None:
    """Return the connection to the pool while a request waits for something else; the next statement takes one."""
    if not connection.in_atomic_block:
        connection.close()


def load_related(found: Sequence[Model], *names: str) -> None:
    """Load the targets of these foreign keys; a target that many rows share is loaded once."""
    for name in names if found else ():
        field: ForeignKey[Any] = found[0]._meta.get_field(name)  # type: ignore[assignment]
        keys = {getattr(row, field.attname) for row in found} - {None}
        condition = f"WHERE {connection.ops.quote_name(str(field.target_field.column))} = ANY(%s)"
        targets = {target.pk: target for target in fetch_objects(field.related_model, condition, [list(keys)])}
        for row in found:
            setattr(row, name, targets.get(getattr(row, field.attname)))
