"""Statements that are run so often that PostgreSQL is to parse and plan them once a connection, and Django never."""

import json
from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import psycopg
from django.db import connection
from django.db.models import Model


class _Cursor(psycopg.Cursor[tuple[Any, ...]]):
    """Binds values on the server, unlike Django's, and has every statement prepared."""

    def execute(self, query: Any, params: Any = None, **_: Any) -> "_Cursor":
        return super().execute(query, params, prepare=True)


def rows(statement: str, values: Any) -> list[tuple[Any, ...]]:
    """What the statement returns, run in the transaction of Django's default connection."""
    connection.ensure_connection()
    wrapped = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    with wrapped(_Cursor(connection.connection)) as cursor:  # type: ignore[arg-type]  # stubs take Django's own alone
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def insert(objects: Sequence[Model]) -> None:
    """Inserts objects of one model in one statement. Primary keys are all given, or none is and none is learned.

    The same as bulk_create, whose SQL is made anew and as long as its values each time.
    """
    if objects:
        keyed = objects[0].pk is not None
        statement, names, values = _insertion(type(objects[0]), keyed)
        written = json.dumps([dict(zip(names, values(row), strict=True)) for row in objects], default=str)
        rows(statement, [written])


@cache
def _insertion(model: type[Model], keyed: bool) -> tuple[str, list[str], "attrgetter[Any]"]:
    """The statement that takes JSON, the columns that the JSON names, and how they are read from an object."""
    fields = [field for field in model._meta.concrete_fields if keyed or not field.primary_key]
    names = [str(field.column) for field in fields]
    table, columns = model._meta.db_table, ", ".join(f'"{name}"' for name in names)
    source = f'json_populate_recordset(NULL::"{table}", %s)'
    statement = f'INSERT INTO "{table}" ({columns}) SELECT {columns} FROM {source}'  # noqa: S608 - names of the model's
    return statement, names, attrgetter(*(field.attname for field in fields))
