"""Prepared statements for the hot paths: PostgreSQL parses and plans each once per connection, Django not at all."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeAlias, TypeVar

import psycopg
from django.db import connection
from django.db.models import ForeignKey, Model

Row = TypeVar("Row", bound=Model)

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
    cursor.execute(statement, values)
    return lambda: cursor.fetchall() if cursor.description else []


def fetch_rows(statement: str, values: Any) -> Rows:
    """Execute the statement on Django's default connection and return its rows."""
    return execute(statement, values)()


def fetch_objects(model: type[Row], condition: str, values: Any) -> list[Row]:
    """Return the model instances selected by the condition: all that follows FROM and the table in a SELECT."""
    selection, build = _selection(model)
    return [build(row) for row in fetch_rows(f"{selection} {condition}", values)]


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
