"""deleteMMSID: content goes at once, with its renditions and files, but not from under messages on their way."""

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
from tests.wire import Drive, photograph

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


def test_content_goes_with_its_renditions_and_files(world: SimpleNamespace) -> None:
    names = [world.medium.file.name, rendition(world.medium).file.name]
    assert call(DELETE) == DELETED
    assert stored() == NOTHING | {"DiscardedFile": 2}
    sweeper.sweep(datetime.now(UTC))
    assert stored() == NOTHING
    assert [default_storage.exists(name) for name in names] == [False, False]


def test_deleted_content_is_gone_for_its_customer(world: SimpleNamespace) -> None:
    call(DELETE)
    assert [b"E241" in call(body) for body in (DELETE, request(SEND))] == [True, True]
    listed = call(request({"action": "getMMSTemplates", "api-key": KEY}))
    assert b"<total-results>0</total-results></response>" in listed


@pytest.mark.parametrize("mms_id", ["", "1", "spring"])
def test_what_is_not_there_cannot_be_deleted(world: SimpleNamespace, mms_id: str) -> None:
    code = b"E241" if mms_id else b"E620"
    assert code in call(request({"action": "deletemmsid", "api-key": KEY, "mms-id": mms_id}))
    Template.objects.update(account=type(world.account).objects.create(name="Another"))
    assert b"E241" in call(DELETE)
    assert Template.objects.get().deleted_at is None


def test_a_message_on_its_way_still_finishes(
    world: SimpleNamespace, drive: Drive, reported: Callable[..., int]
) -> None:
    call(request(SEND))
    assert call(DELETE) == DELETED
    assert stored()["Slide"] == 2
    drive()
    sweeper.sweep(later())
    assert (Message.objects.get().status, stored()["Medium"]) == ("submitted", 1)
    reported("M1", "Retrieved")
    sweeper.sweep(later() + deletion.RETRY_DELAY)
    assert (Message.objects.get().status, stored()) == ("delivered", NOTHING)


def test_what_another_template_shows_stays(world: SimpleNamespace) -> None:
    another = Template.objects.create(account=world.account, name="Another", subject="")
    SlideMedium.objects.create(slide=another.slides.create(position=1, duration=5), medium=world.medium)
    call(DELETE)
    sweeper.sweep(datetime.now(UTC))
    assert (stored()["Medium"], default_storage.exists(world.medium.file.name)) == (1, True)
    call(request({"action": "deleteMMSID", "api-key": KEY, "mms-id": str(another.pk)}))
    sweeper.sweep(datetime.now(UTC))
    assert (stored(), default_storage.exists(world.medium.file.name)) == (NOTHING, False)


def test_a_file_that_cannot_be_removed_is_tried_again(world: SimpleNamespace, settings: SimpleNamespace) -> None:
    path = Path(world.medium.file.path)
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
def test_a_message_accepted_while_its_template_is_deleted_keeps_the_content(world: SimpleNamespace) -> None:
    """The deletion waits for the message, and then sees it."""
    order = SendRequest(
        account=world.account, number="14044790000", country="US", sender="28444", carrier=world.carrier,
        template=world.template, service=None, subject="",
    )  # fmt: skip

    def delete() -> bytes:
        try:
            return call(DELETE)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            accept([order], datetime.now(UTC))
            deletion = pool.submit(delete)
            wait_for_a_lock()
        assert deletion.result() == DELETED
    assert stored()["Slide"] == 2
    (outcome,) = accept([order], datetime.now(UTC))
    assert isinstance(outcome, TemplateDeleted)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_content_saved_while_its_medium_is_removed_is_stored_anew(
    world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The medium is known when the request begins, and gone when its rows are written."""
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
    assert medium.pk != world.medium.pk
    with medium.file.open() as kept:
        assert kept.read() == photograph()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_medium_that_another_stored_meanwhile_is_kept_when_he_deletes_it(world: SimpleNamespace) -> None:
    """The medium is new when the request begins, known when its rows are written, and deleted before they are."""
    others: list[bytes] = []

    def meanwhile(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if sql.startswith('INSERT INTO "mms_medium"') and not others:
            aside(request({**SAVE, "slide": image(f"{web.url}/a.jpg")}))
        if sql.startswith('INSERT INTO "mms_template"'):
            (mms_id,) = re.findall(b"<mms-id>(.+)</mms-id>", others[0])
            aside(request({"action": "deleteMMSID", "api-key": KEY, "mms-id": mms_id.decode()}))
        return execute(sql, *rest)

    def aside(body: bytes) -> None:
        with ThreadPoolExecutor(1) as pool:
            others.append(pool.submit(closing, body).result())

    def closing(body: bytes) -> bytes:
        try:
            return call(body)
        finally:
            connection.close()

    picture = photograph(40, 30)
    with serving(file(picture)) as web, connection.execute_wrapper(meanwhile):
        assert b"Success" in call(request({**SAVE, "slide": image(f"{web.url}/a.jpg")}))
    assert all(b"Success" in other for other in others)
    medium = Medium.objects.exclude(pk=world.medium.pk).get()
    with medium.file.open() as kept:
        assert kept.read() == picture


def wait_for_a_lock() -> None:
    """Until another connection waits for a row of ours."""
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            if cursor.fetchone() != (0,):
                return
