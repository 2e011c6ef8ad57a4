"""Bulk inserts and updates in one statement, with the values sent as JSON or as one array per column.

Django's bulk_create() and bulk_update() write an expression for every value, and building their SQL costs more than
running it.
"""

from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, TypeAlias, TypeVar

import orjson
from django.db import connection
from django.db.models import Field, Model

from base import sql

JSON = orjson.OPT_NON_STR_KEYS  # as the json module does

Row = TypeVar("Row", bound=Model)
AnyField: TypeAlias = "Field[Any, Any]"

UPDATE = "UPDATE {table} SET {changes} FROM unnest({arrays}) AS changed({columns}) WHERE {table}.{key} = changed.{key}"
# As JSON, so that the statement is the same for any number of rows and can be prepared.
INSERT = """
INSERT INTO {table} ({columns})
SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s) WITH ORDINALITY ORDER BY ordinality RETURNING {key}
"""
INSERT_NEW = (
    "INSERT INTO {table} ({columns}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING RETURNING {returned}"
)


def update(rows: Sequence[Row], *names: str) -> None:
    """Update these fields of the rows to their values in memory."""
    if not rows:
        return
    statement, fields = _update_statement(type(rows[0]), names)
    sql.fetch_rows(statement, _values(rows, fields))


@cache
def _update_statement(model: type[Model], names: tuple[str, ...]) -> tuple[str, list[AnyField]]:
    """Return the statement, and the fields whose values it takes."""
    key, changed = model._meta.pk, [_field(model, name) for name in names]
    statement = UPDATE.format(
        table=_table(model),
        key=_quoted(key),
        changes=", ".join(f"{_quoted(field)} = changed.{_quoted(field)}" for field in changed),
        arrays=_arrays([key, *changed]),
        columns=", ".join(map(_quoted, [key, *changed])),
    )
    return statement, [key, *changed]


def insert(rows: Sequence[Row]) -> Sequence[Row]:
    """Insert the rows in order, set their primary keys unless all have one, and return them."""
    for row, (pk,) in zip(rows, execute_insert(rows)(), strict=True):
        row.pk = pk
    return rows


def execute_insert(rows: Sequence[Row]) -> Callable[[], sql.Rows]:
    """Insert the rows, and return a function that fetches their keys: a pipeline() block need not wait for them."""
    if not rows:
        return list
    statement, names, values = _insert_statement(type(rows[0]), keyed=rows[0].pk is not None)
    document = orjson.dumps([dict(zip(names, values(row), strict=True)) for row in rows], default=str, option=JSON)
    for row in rows:
        row._state.adding = False
    return sql.execute(statement, [document.decode()])


@cache
def _insert_statement(model: type[Model], *, keyed: bool) -> tuple[str, list[str], "attrgetter[Any]"]:
    """Return the statement, its columns, and a function that reads their values from a row."""
    key, table = model._meta.pk, connection.ops.quote_name(model._meta.db_table)
    fields = [field for field in model._meta.concrete_fields if keyed or field is not key]
    statement = INSERT.format(table=table, columns=", ".join(map(_quoted, fields)), key=_quoted(key))
    return statement, [str(field.column) for field in fields], attrgetter(*(field.attname for field in fields))


def insert_new(rows: Sequence[Row], *unique: str) -> list[Row]:
    """Insert the rows that conflict with no row in these unique fields, and return the inserted ones.

    The statement waits for concurrent transactions that insert equal rows, so all callers must use the same order.
    """
    if not rows:
        return []
    statement, fields, names = _insert_new_statement(type(rows[0]), unique)
    keys = {tuple(values): pk for pk, *values in sql.fetch_rows(statement, _values(rows, fields))}
    for row in rows:
        # Of several equal rows, only the first was inserted.
        row.pk = keys.pop(tuple(getattr(row, name) for name in names), None)
    return [row for row in rows if row.pk is not None]


@cache
def _insert_new_statement(model: type[Model], unique: tuple[str, ...]) -> tuple[str, list[AnyField], list[str]]:
    """Return the statement, the fields whose values it takes, and the names of the unique ones."""
    key, names = model._meta.pk, [_field(model, name) for name in unique]
    fields = [field for field in model._meta.concrete_fields if field is not key]
    statement = INSERT_NEW.format(
        table=_table(model),
        columns=", ".join(map(_quoted, fields)),
        arrays=_arrays(fields),
        returned=", ".join(map(_quoted, [key, *names])),
    )
    return statement, fields, [field.attname for field in names]


def _field(model: type[Model], name: str) -> AnyField:
    return model._meta.get_field(name)  # type: ignore[return-value]  # callers name no reverse relation


def _table(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _quoted(field: AnyField) -> str:
    return connection.ops.quote_name(str(field.column))


def _arrays(fields: Sequence[AnyField]) -> str:
    return ", ".join(f"%s::{_type(field)}[]" for field in fields)


def _type(field: AnyField) -> str:
    """Return the column type; for text the type without a length, because a cast would truncate silently."""
    name = str(field.db_type(connection))
    return "text" if name.startswith("varchar") else name


def _values(rows: Sequence[Model], fields: Sequence[AnyField]) -> list[list[Any]]:
    return [[_value(row, field) for row in rows] for field in fields]


def _value(row: Model, field: AnyField) -> Any:
    value = field.get_db_prep_save(getattr(row, field.attname), connection)
    return str(value) if isinstance(value, str) else value  # an enumeration member becomes a plain string
