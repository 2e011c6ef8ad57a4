"""Reports that come together are taken together; one that cannot be taken harms no other."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace

import psycopg
import pytest
from django.db import connection
from django.test import Client

from mms.messages.report_endpoint import _together
from mms.models import Report
from tests.processes.platform_under_test import eventually

committing = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture
def unstorable() -> Iterator[None]:
    """A report that names the message "poison" cannot be stored."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE mms_report ADD CONSTRAINT no CHECK (mmsc_id <> 'poison') NOT VALID")
        yield
        cursor.execute("ALTER TABLE mms_report DROP CONSTRAINT no")


def together(report: Callable[[str], int], names: list[str]) -> list[int]:
    """What is answered to reports of these messages, of which all but the first come while that one is taken."""

    def closing(name: str) -> int:
        try:
            return report(name)
        finally:
            connection.close()

    assert closing("before") == 200  # what is remembered of the carrier from here on
    with ThreadPoolExecutor(len(names)) as pool:
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute("LOCK TABLE mms_carrier")
            answers: list[Future[int]] = [pool.submit(closing, names[0])]
            eventually(lambda: _together._led and not _together.waiting)
            answers += [pool.submit(closing, name) for name in names[1:]]
            eventually(lambda: len(_together.waiting) == len(names) - 1)
        return [answer.result(timeout=60) for answer in answers]


@committing
def test_one_that_cannot_be_stored_is_sent_again_and_the_others_are_taken(
    world: SimpleNamespace, reported: Callable[..., int], unstorable: None
) -> None:
    names = ["first", "second", "poison", "third"]
    assert together(lambda name: reported(name, "Retrieved"), names) == [200, 200, 503, 200]
    assert set(Report.objects.values_list("mmsc_id", flat=True)) == {"before", "first", "second", "third"}


@committing
def test_one_that_breaks_us_is_sent_again_and_the_others_are_taken(
    world: SimpleNamespace, reported: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Report.__init__

    def breaking(self: Report, *values: object, **fields: object) -> None:
        if fields.get("mmsc_id") == "poison":
            raise ValueError("a fault of ours")
        kept(self, *values, **fields)

    monkeypatch.setattr(Report, "__init__", breaking)
    names = ["first", "poison", "second", "third"]
    assert together(lambda name: reported(name, "Retrieved"), names) == [200, 503, 200, 200]
    assert Report.objects.count() == 4


def test_a_user_and_password_that_are_not_ascii_are_wrong(world: SimpleNamespace) -> None:
    reply = Client().post("/mm7/att", b"<x/>", content_type="text/xml", headers={"authorization": "Basic é"})
    assert reply.status_code == 401
