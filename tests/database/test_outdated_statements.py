"""Prepared statements whose columns a migration has changed are prepared again, and their work is repeated."""

from collections.abc import Iterator
from types import SimpleNamespace

import psycopg
import pytest
from django.db import NotSupportedError, connection, transaction

from base import sql
from billing.models import Service
from mms.models import Carrier

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def migrate(type_: str) -> None:
    """Change the type of a column in another session: the driver notices it in its own."""
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        other.execute(f"ALTER TABLE mms_carrier ALTER COLUMN vaspid TYPE {type_}")


@pytest.fixture
def prepared(records: SimpleNamespace) -> Iterator[None]:
    assert fetch() == ["vasp"]
    yield
    migrate("varchar(100)")


def fetch() -> list[str]:
    return [carrier.vaspid for carrier in sql.fetch_objects(Carrier, "WHERE id > %s", [0])]


@pytest.mark.usefixtures("prepared")
def test_outdated_statement_is_repeated() -> None:
    for type_ in ("varchar(200)", "text"):
        migrate(type_)
        assert [fetch(), fetch()] == [["vasp"], ["vasp"]]


@pytest.mark.usefixtures("prepared")
def test_outdated_transaction_is_repeated_as_a_whole(records: SimpleNamespace) -> None:
    migrate("text")
    calls: list[int] = []

    @sql.repeats_outdated
    def work() -> list[str]:
        calls.append(1)
        with transaction.atomic():
            Service.objects.create(account=records.account, code="new")
            with sql.pipeline():
                found = sql.execute("SELECT vaspid FROM mms_carrier WHERE id > %s", [0])
            return [value for (value,) in found()] + fetch()

    assert (work(), len(calls)) == (["vasp", "vasp"], 2)
    assert Service.objects.filter(code="new").count() == 1


@pytest.mark.usefixtures("prepared")
def test_call_within_another_transaction_raises() -> None:
    migrate("text")
    with pytest.raises(NotSupportedError), transaction.atomic():
        sql.repeats_outdated(fetch)()
    assert fetch() == ["vasp"]
