"""Many rows in one statement: their values go along as JSON, or as arrays, one a column.

Django's bulk_create() and bulk_update() write an expression for every row and every column, and take longer to put
their SQL together than PostgreSQL takes to do it.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, TypeAlias, TypeVar

from django.db import connection
from django.db.models import Field, Model

from base import sql

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
    """Writes these fields of the rows as they are in memory."""
    if not rows:
        return
    statement, fields = _change(type(rows[0]), names)
    sql.rows(statement, _values(rows, fields))


@cache
def _change(model: type[Model], names: tuple[str, ...]) -> tuple[str, list[AnyField]]:
    """The statement, and the fields whose values it is given."""
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
    """Inserts the rows in their order, in which they get their keys, too, unless all have one; returns them."""
    for row, (pk,) in zip(rows, add(rows)(), strict=True):
        row.pk = pk
    return rows


def add(rows: Sequence[Row]) -> Callable[[], sql.Rows]:
    """The same, but the rows' keys are to be asked for: a block of prepared.at_once() need not wait for them."""
    if not rows:
        return list
    statement, names, values = _insertion(type(rows[0]), keyed=rows[0].pk is not None)
    written = json.dumps([dict(zip(names, values(row), strict=True)) for row in rows], default=str)
    for row in rows:
        row._state.adding = False
    return sql.ask(statement, [written])


@cache
def _insertion(model: type[Model], *, keyed: bool) -> tuple[str, list[str], "attrgetter[Any]"]:
    """The statement, the columns that it is given, and how their values are read from a row."""
    key, table = model._meta.pk, connection.ops.quote_name(model._meta.db_table)
    fields = [field for field in model._meta.concrete_fields if keyed or field is not key]
    statement = INSERT.format(table=table, columns=", ".join(map(_quoted, fields)), key=_quoted(key))
    return statement, [str(field.column) for field in fields], attrgetter(*(field.attname for field in fields))


def insert_new(rows: Sequence[Row], *unique: str) -> list[Row]:
    """Inserts the rows, but for those whose like, by these unique fields, is there already; returns the inserted.

    Whoever inserts the like at the same moment is waited for: callers keep to one order.
    """
    if not rows:
        return []
    statement, fields, names = _new_insertion(type(rows[0]), unique)
    keys = {tuple(values): pk for pk, *values in sql.rows(statement, _values(rows, fields))}
    for row in rows:
        # Of several alike, the first.
        row.pk = keys.pop(tuple(getattr(row, name) for name in names), None)
    return [row for row in rows if row.pk is not None]


@cache
def _new_insertion(model: type[Model], unique: tuple[str, ...]) -> tuple[str, list[AnyField], list[str]]:
    """The statement, the fields whose values it is given, and what rows are told apart by."""
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
    return model._meta.get_field(name)  # type: ignore[return-value]  # none of ours names a relation from the other side


def _table(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _quoted(field: AnyField) -> str:
    return connection.ops.quote_name(str(field.column))


def _arrays(fields: Sequence[AnyField]) -> str:
    return ", ".join(f"%s::{_type(field)}[]" for field in fields)


def _type(field: AnyField) -> str:
    """Its type in the database; for texts the one without a length, since a cast would cut what is too long."""
    name = str(field.db_type(connection))
    return "text" if name.startswith("varchar") else name


def _values(rows: Sequence[Model], fields: Sequence[AnyField]) -> list[list[Any]]:
    return [[_value(row, field) for row in rows] for field in fields]


def _value(row: Model, field: AnyField) -> Any:
    value = field.get_db_prep_save(getattr(row, field.attname), connection)
    return str(value) if isinstance(value, str) else value  # a choice is its text, also among texts
