"""Statements that are run so often that PostgreSQL is to parse and plan them once a connection, and Django never."""

from typing import Any

import psycopg
from django.db import connection


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
