"""deleteMMSID: removes content, renditions and files at once, or after the last unfinished message."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.test import Client

from mms.content import deletion
from mms.messages import sweeper
from mms.messages.accept import TemplateDeleted, accept
from mms.messages.request import SendRequest
from mms.models import DiscardedFile, Medium, Message, Rendition, Slide, SlideMedium, Template
from tests.api.documents import KEY, SAVE, SEND, file, image, request
from tests.scripted import serving
from tests.wire import RunWorkers, photograph

DELETE = request({"action": "deleteMMSID", "api-key": KEY, "mms-id": "35674"})
DELETED = b'<?xml version="1.0" encoding="UTF-8"?>\n<response><status>Success</status><mms-id>35674</mms-id></response>'


def call(body: bytes) -> bytes:
    return bytes(Client().post("/ep/v1/", body, content_type="text/xml").content)


def later() -> datetime:
    return datetime.now(UTC) + deletion.RETRY_DELAY + timedelta(seconds=1)


def stored() -> dict[str, int]:
    models = (Slide, SlideMedium, Medium, Rendition, DiscardedFile)
    return {model.__name__: model._default_manager.count() for model in models}


NOTHING = {"Slide": 0, "SlideMedium": 0, "Medium": 0, "Rendition": 0, "DiscardedFile": 0}


def rendition(medium: Medium) -> Rendition:
    from django.core.files.base import ContentFile

    name = default_storage.save(f"renditions/{medium.pk}-recipe", ContentFile(b"adapted"))
    return Rendition.objects.create(
        medium=medium, recipe="recipe", mime_type="image/jpeg", size=7, width=1, height=1, file=name
    )


def test_deletion_removes_renditions_and_files(records: SimpleNamespace) -> None:
    names = [records.medium.file.name, rendition(records.medium).file.name]
    assert call(DELETE) == DELETED
    assert stored() == NOTHING | {"DiscardedFile": 2}
    sweeper.sweep(datetime.now(UTC))
    assert stored() == NOTHING
    assert [default_storage.exists(name) for name in names] == [False, False]


def test_deleted_content_is_unknown_to_the_customer(records: SimpleNamespace) -> None:
    call(DELETE)
    assert [b"E241" in call(body) for body in (DELETE, request(SEND))] == [True, True]
    listed = call(request({"action": "getMMSTemplates", "api-key": KEY}))
    assert b"<total-results>0</total-results></response>" in listed


@pytest.mark.parametrize("mms_id", ["", "1", "spring"])
def test_unknown_content_cannot_be_deleted(records: SimpleNamespace, mms_id: str) -> None:
    code = b"E241" if mms_id else b"E620"
    assert code in call(request({"action": "deletemmsid", "api-key": KEY, "mms-id": mms_id}))
    Template.objects.update(account=type(records.account).objects.create(name="Another"))
    assert b"E241" in call(DELETE)
    assert Template.objects.get().deleted_at is None


def test_unfinished_message_keeps_the_content(
    records: SimpleNamespace, run_workers: RunWorkers, send_report: Callable[..., int]
) -> None:
    call(request(SEND))
    assert call(DELETE) == DELETED
    assert stored()["Slide"] == 2
    run_workers()
    sweeper.sweep(later())
    assert (Message.objects.get().status, stored()["Medium"]) == ("submitted", 1)
    send_report("M1", "Retrieved")
    sweeper.sweep(later() + deletion.RETRY_DELAY)
    assert (Message.objects.get().status, stored()) == ("delivered", NOTHING)


def test_medium_of_another_template_stays(records: SimpleNamespace) -> None:
    another = Template.objects.create(account=records.account, name="Another", subject="")
    SlideMedium.objects.create(slide=another.slides.create(position=1, duration=5), medium=records.medium)
    call(DELETE)
    sweeper.sweep(datetime.now(UTC))
    assert (stored()["Medium"], default_storage.exists(records.medium.file.name)) == (1, True)
    call(request({"action": "deleteMMSID", "api-key": KEY, "mms-id": str(another.pk)}))
    sweeper.sweep(datetime.now(UTC))
    assert (stored(), default_storage.exists(records.medium.file.name)) == (NOTHING, False)


def test_failed_removal_of_a_file_is_retried(records: SimpleNamespace, settings: SimpleNamespace) -> None:
    path = Path(records.medium.file.path)
    call(DELETE)
    path.unlink()
    path.mkdir()
    (path / "in the way").touch()
    sweeper.sweep(datetime.now(UTC))
    assert stored()["DiscardedFile"] == 1
    (path / "in the way").unlink()
    sweeper.sweep(later())
    assert stored() == NOTHING


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_message_accepted_during_a_deletion_keeps_the_content(records: SimpleNamespace) -> None:
    """The deletion waits for the lock of the accept, and then finds the message."""
    send_request = SendRequest(
        account=records.account, number="14044790000", country="US", sender="28444", carrier=records.carrier,
        template=records.template, service=None, subject="",
    )  # fmt: skip

    def delete() -> bytes:
        try:
            return call(DELETE)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            accept([send_request], datetime.now(UTC))
            deletion = pool.submit(delete)
            wait_for_a_lock()
        assert deletion.result() == DELETED
    assert stored()["Slide"] == 2
    (outcome,) = accept([send_request], datetime.now(UTC))
    assert isinstance(outcome, TemplateDeleted)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_medium_removed_during_a_save_is_stored_again(
    records: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The medium is stored when the request begins, and deleted when its rows are written."""
    gone = threading.Event()
    hold = deletion.hold_media

    def hold_too_late(media: object) -> bool:
        if not gone.is_set():
            gone.set()
            with ThreadPoolExecutor(1) as pool:
                pool.submit(delete).result()
        return hold(media)  # type: ignore[arg-type]  # passed on as it came

    def delete() -> None:
        call(DELETE)
        sweeper.sweep(datetime.now(UTC))
        connection.close()

    monkeypatch.setattr(deletion, "hold_media", hold_too_late)
    with serving(file(photograph())) as web:
        assert b"Success" in call(request({**SAVE, "slide": image(f"{web.url}/a.jpg")}))
    medium = Medium.objects.get()
    assert medium.pk != records.medium.pk
    with medium.file.open() as kept:
        assert kept.read() == photograph()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_medium_stored_and_deleted_during_a_save_is_kept(records: SimpleNamespace) -> None:
    """Another request stores the same medium and deletes it before the rows of this one are written."""
    others: list[bytes] = []

    def interfere(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if sql.startswith('INSERT INTO "mms_medium"') and not others:
            call_in_a_thread(request({**SAVE, "slide": image(f"{web.url}/a.jpg")}))
        if sql.startswith('INSERT INTO "mms_template"'):
            (mms_id,) = re.findall(b"<mms-id>(.+)</mms-id>", others[0])
            call_in_a_thread(request({"action": "deleteMMSID", "api-key": KEY, "mms-id": mms_id.decode()}))
        return execute(sql, *rest)

    def call_in_a_thread(body: bytes) -> None:
        with ThreadPoolExecutor(1) as pool:
            others.append(pool.submit(call_and_disconnect, body).result())

    def call_and_disconnect(body: bytes) -> bytes:
        try:
            return call(body)
        finally:
            connection.close()

    picture = photograph(40, 30)
    with serving(file(picture)) as web, connection.execute_wrapper(interfere):
        assert b"Success" in call(request({**SAVE, "slide": image(f"{web.url}/a.jpg")}))
    assert all(b"Success" in other for other in others)
    medium = Medium.objects.exclude(pk=records.medium.pk).get()
    with medium.file.open() as kept:
        assert kept.read() == picture


def wait_for_a_lock() -> None:
    """Wait until another connection waits for a lock of this one."""
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            if cursor.fetchone() != (0,):
                return
