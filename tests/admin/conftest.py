"""Sample data with a row of every kind, written by the platform's own functions, and an operator to view it."""

from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from tests.admin import sample_data

Snapshot: TypeAlias = tuple[SimpleNamespace, dict[str, bytes], dict[Path, bytes]]


@pytest.fixture(scope="session")
def sample_snapshot(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Snapshot:
    """The sample data, created once and rolled back, with a copy of its rows by table and of its files.

    Creating it for each test would take 0.2 seconds; restoring its rows takes 0.01.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        before = {table: _keys(table) for table in connection.introspection.django_table_names()}
        sample = sample_data.create()
        rows = {table: data for table, keys in before.items() if (data := _copy_rows(table, keys))}
        transaction.set_rollback(True)
    files = {
        Path(stored.file.path): Path(stored.file.path).read_bytes() for stored in (sample.medium, sample.rendition)
    }
    return sample, rows, files


def _keys(table: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_primary_key(table)} FROM {table}")
        return [key for (key,) in cursor.fetchall()]


def _primary_key(table: str) -> str:
    with connection.cursor() as cursor:
        return str(connection.introspection.get_primary_key_column(cursor, table))


def _copy_rows(table: str, excluded: list[Any]) -> bytes:
    """Return the rows of the table in binary COPY format, without the excluded keys, or b"" if there are none."""
    rows = f"SELECT * FROM {table} WHERE NOT {_primary_key(table)} = ANY(%s)"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS ({rows})", [excluded])
        if not cursor.fetchone()[0]:
            return b""
        with cursor.copy(f"COPY ({rows}) TO STDOUT (FORMAT BINARY)", [excluded]) as copy:
            return b"".join(copy)


@pytest.fixture
def sample(db: None, sample_snapshot: Snapshot) -> SimpleNamespace:
    """The sample data, restored in the test's transaction."""
    sample, rows, files = sample_snapshot
    with connection.cursor() as cursor:
        for table, data in rows.items():
            with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(data)
    for path, content in files.items():  # a test may have changed them
        path.write_bytes(content)
    return deepcopy(sample)


@pytest.fixture
def superuser(db: None) -> Client:
    """A client that is logged in as a superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("olga"))
    return client
