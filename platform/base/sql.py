"""Statements that are run so often that PostgreSQL is to parse and plan them once a connection, and Django never."""

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
    """Binds values on the server, unlike Django's, and has every statement prepared."""

    def execute(self, query: Any, params: Any = None, **_: Any) -> "_Cursor":
        return super().execute(query, params, prepare=True)


@contextmanager
def at_once() -> Iterator[None]:
    """Statements of this block go out together, without waiting for each other's answers, and are run in their order.

    What they return can be had after the block, which raises what any of them failed with.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def ask(statement: str, values: Any) -> Callable[[], Rows]:
    """Runs the statement in the transaction of Django's default connection; what it returns can be had later."""
    connection.ensure_connection()
    wrapped = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    cursor = wrapped(_Cursor(connection.connection))  # type: ignore[arg-type]  # stubs take Django's own alone
    cursor.execute(statement, values)
    return lambda: cursor.fetchall() if cursor.description else []


def rows(statement: str, values: Any) -> Rows:
    """What the statement returns, run in the transaction of Django's default connection."""
    return ask(statement, values)()


def objects(model: type[Row], condition: str, values: Any) -> list[Row]:
    """The rows of the model that satisfy the condition: whatever may follow FROM and the table in a SELECT."""
    selection, made = _selection(model)
    return [made(row) for row in rows(f"{selection} {condition}", values)]


@cache
def _selection(model: type[Row]) -> tuple[str, Callable[[Sequence[Any]], Row]]:
    """The SELECT without its condition, and what makes an object of a row that it returns."""
    fields = model._meta.concrete_fields
    table, *columns = map(connection.ops.quote_name, [model._meta.db_table, *(str(f.column) for f in fields)])
    names = [field.attname for field in fields]
    # Of JSON, for one, the database's driver gives the text.
    conversions = [(place, field, c) for place, field in enumerate(fields) for c in field.get_db_converters(connection)]

    def made(row: Sequence[Any]) -> Row:
        values = list(row)
        for place, field, convert in conversions:
            values[place] = convert(values[place], field, connection)
        return model.from_db(connection.alias, names, values)

    selection = f"SELECT {', '.join(f'{table}.{column}' for column in columns)} FROM {table}"  # noqa: S608 - of names
    return selection, made


def fetch(found: Sequence[Model], *names: str) -> None:
    """Reads what these foreign keys of the rows point to; of many rows that point to one, it is read once."""
    for name in names if found else ():
        field: ForeignKey[Any] = found[0]._meta.get_field(name)  # type: ignore[assignment]
        keys = {getattr(row, field.attname) for row in found} - {None}
        condition = f"WHERE {connection.ops.quote_name(str(field.target_field.column))} = ANY(%s)"
        targets = {target.pk: target for target in objects(field.related_model, condition, [list(keys)])}
        for row in found:
            setattr(row, name, targets.get(getattr(row, field.attname)))
