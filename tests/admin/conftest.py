"""A world with a row of every kind, brought about by the flow, and an operator who looks at it."""

from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from tests.admin import story

Told: TypeAlias = tuple[SimpleNamespace, dict[str, bytes], dict[Path, bytes]]


@pytest.fixture(scope="session")
def told(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Told:
    """The world, brought about once and rolled back; the rows that it left, by their tables, and its files.

    To tell it anew for each test would take a fifth of a second; to put its rows back takes a hundredth.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        before = {table: _keys(table) for table in connection.introspection.django_table_names()}
        here = story.world()
        rows = {table: data for table, keys in before.items() if (data := _copied(table, keys))}
        transaction.set_rollback(True)
    files = {Path(of.file.path): Path(of.file.path).read_bytes() for of in (here.medium, here.rendition)}
    return here, rows, files


def _keys(table: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_key(table)} FROM {table}")
        return [key for (key,) in cursor.fetchall()]


def _key(table: str) -> str:
    with connection.cursor() as cursor:
        return str(connection.introspection.get_primary_key_column(cursor, table))


def _copied(table: str, but: list[Any]) -> bytes:
    """The rows of the table in PostgreSQL's own form, without those of these keys; nothing where there are none."""
    others = f"SELECT * FROM {table} WHERE NOT {_key(table)} = ANY(%s)"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS ({others})", [but])
        if not cursor.fetchone()[0]:
            return b""
        with cursor.copy(f"COPY ({others}) TO STDOUT (FORMAT BINARY)", [but]) as copy:
            return b"".join(copy)


@pytest.fixture
def world(db: None, told: Told) -> SimpleNamespace:
    here, rows, files = told
    with connection.cursor() as cursor:
        for table, data in rows.items():
            with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(data)
    for path, content in files.items():  # a test may have broken them
        path.write_bytes(content)
    return deepcopy(here)


@pytest.fixture
def console(db: None) -> Client:
    """The console as a superuser sees it."""
    client = Client()
    client.force_login(User.objects.create_superuser("olga"))
    return client
