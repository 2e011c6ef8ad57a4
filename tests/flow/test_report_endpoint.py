"""The endpoint for MMSCs: concurrent reports share a transaction, and one that fails does not affect the others."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace

import psycopg
import pytest
from django.db import connection
from django.test import Client

from base import stale_cache
from mms.messages.report_endpoint import REPORTS
from mms.models import Report
from tests.processes.platform_under_test import eventually

committing = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture
def unstorable() -> Iterator[None]:
    """Make reports of the message "poison" unstorable."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE mms_report ADD CONSTRAINT no CHECK (mmsc_id <> 'poison') NOT VALID")
        yield
        cursor.execute("ALTER TABLE mms_report DROP CONSTRAINT no")


IDLE_CARRIER_READERS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'idle' AND query ILIKE '%mms_carrier%' AND query ILIKE '%slug%'
  AND pid <> pg_backend_pid()
"""


def waits_for_lock(other: psycopg.Connection) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    return other.execute(waiting).fetchone() == (1,)


def report_at_once(report: Callable[[str], int], names: list[str]) -> list[int]:
    """Return the statuses of reports of these messages; all but the first arrive while that one is being stored."""

    def closing(name: str) -> int:
        try:
            return report(name)
        finally:
            connection.close()

    assert closing("before") == 200  # fills the stale cache
    with ThreadPoolExecutor(len(names)) as pool:
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute("LOCK TABLE mms_carrier")
            answers: list[Future[int]] = [pool.submit(closing, names[0])]
            eventually(lambda: waits_for_lock(other))
            answers += [pool.submit(closing, name) for name in names[1:]]
            eventually(lambda: REPORTS.waiting == len(names) - 1)
        return [answer.result(timeout=60) for answer in answers]


@committing
def test_unstorable_report_gets_503_and_the_rest_are_stored(
    records: SimpleNamespace, send_report: Callable[..., int], unstorable: None
) -> None:
    names = ["first", "second", "poison", "third"]
    assert report_at_once(lambda name: send_report(name, "Retrieved"), names) == [200, 200, 503, 200]
    assert set(Report.objects.values_list("mmsc_id", flat=True)) == {"before", "first", "second", "third"}


@committing
def test_failing_report_gets_503_and_the_rest_are_stored(
    records: SimpleNamespace, send_report: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Report.__init__

    def breaking(self: Report, *values: object, **fields: object) -> None:
        if fields.get("mmsc_id") == "poison":
            raise ValueError("a bug")
        kept(self, *values, **fields)

    monkeypatch.setattr(Report, "__init__", breaking)
    names = ["first", "poison", "second", "third"]
    assert report_at_once(lambda name: send_report(name, "Retrieved"), names) == [200, 503, 200, 200]
    assert Report.objects.count() == 4


@committing
def test_leader_with_a_broken_connection_retries_on_a_new_one(
    records: SimpleNamespace, send_report: Callable[..., int]
) -> None:
    def closing(name: str) -> int:
        try:
            return send_report(name, "Retrieved")
        finally:
            connection.close()

    assert closing("before") == 200
    parameters = connection.get_connection_params()
    with ThreadPoolExecutor(3) as pool, psycopg.connect(**parameters, autocommit=True) as admin:
        with psycopg.connect(**parameters) as other:
            other.execute("LOCK TABLE mms_report IN EXCLUSIVE MODE")
            answers = [pool.submit(closing, "first")]
            eventually(lambda: waits_for_lock(other))
            stale_cache.clear()  # the second request reads its carrier, so it holds a connection while it waits
            answers.append(pool.submit(closing, "second"))
            eventually(lambda: REPORTS.waiting == 1)
            answers.append(pool.submit(closing, "third"))
            eventually(lambda: REPORTS.waiting == 2)
            admin.execute(IDLE_CARRIER_READERS)
        assert [answer.result(timeout=60) for answer in answers] == [200, 200, 200]


def test_non_ascii_credentials_get_401(records: SimpleNamespace) -> None:
    reply = Client().post("/mm7/att", b"<x/>", content_type="text/xml", headers={"authorization": "Basic é"})
    assert reply.status_code == 401
