"""Internal errors: E503 with a reference to the log, and nothing partially stored."""

import os
import re
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.test import Client
from pytest_django import Settings

from mms.models import Medium, Message, Template
from tests.api.documents import KEY, NUMBER, SAVE, SEND, file, image, request
from tests.api.sockets import read_headers, tcp_server
from tests.scripted import serving
from tests.wire import photograph

PICTURE = photograph(40, 30)
# The commit of content waits for the holder of this lock.
COMMIT_WAITS = """
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON mms_template DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION wait();
"""


def post(body: bytes) -> bytes:
    reply = Client().post("/ep/v1/", body, content_type="text/xml")
    assert (reply.status_code, reply["Content-Type"]) == (500, "text/xml; charset=utf-8")
    return bytes(reply.content)


def reference(answer: bytes, to: str = "") -> str:
    found = re.fullmatch(
        rb'<\?xml version="1.0" encoding="UTF-8"\?>\n<response><status>Failure</status><error-code>E503</error-code>'
        + to.encode()
        + rb"<error-info>Internal error, reference ([0-9a-f]{12})</error-info></response>",
        answer,
    )
    assert found, answer
    return found[1].decode()


def end_connection(backend: int) -> None:
    """End a database connection as a server restart does; call it from another thread than the connection's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    connection.close()


def eventually(cursor: CursorWrapper, query: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        cursor.execute(query)
        if cursor.fetchone() == (True,):
            return
    raise AssertionError(query)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_connection_lost_while_fetching_does_no_harm(
    records: SimpleNamespace, settings: Settings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    connection.ensure_connection()
    backend = connection.connection.info.backend_pid

    def serve(client: socket.socket) -> None:
        read_headers(client)
        end_connection(backend)
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + PICTURE)

    with tcp_server(serve) as server:
        answer = Client().post("/ep/v1/", request({**SAVE, "slide": image(server.url)}), content_type="text/xml")
    assert b"Success" in answer.content
    assert (Template.objects.count(), Medium.objects.count()) == (2, 2)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_connection_lost_after_the_commit_still_gets_success(
    records: SimpleNamespace, settings: Settings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    stored = False

    def end_after_commit(execute: Callable[..., object], *statement: object) -> object:
        nonlocal stored
        if stored and not connection.in_atomic_block:
            with ThreadPoolExecutor(1) as other:
                other.submit(end_connection, connection.connection.info.backend_pid).result()
        stored = connection.in_atomic_block
        return execute(*statement)

    new = {**SEND, "mms-id": None, "action": "sendMMS", "name": "Spring"}
    with serving(file(PICTURE)) as server, connection.execute_wrapper(end_after_commit):
        answer = Client().post("/ep/v1/", request({**new, "slide": image(server.url)}), content_type="text/xml")
    connection.close()
    assert b"<status>Success</status>" in answer.content
    assert Message.objects.count() == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_content_committed_after_a_lost_connection_has_its_file(
    records: SimpleNamespace, settings: Settings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    descriptors: list[int] = []

    def record_descriptor(execute: Callable[..., object], *statement: object) -> object:
        descriptors.append(connection.connection.fileno())
        return execute(*statement)

    def save(url: str) -> bytes:
        try:
            with connection.execute_wrapper(record_descriptor):
                return post(request({**SAVE, "slide": image(url)}))
        finally:
            connection.close()

    with connection.cursor() as cursor, serving(file(PICTURE)) as server, ThreadPoolExecutor(1) as pool:
        cursor.execute(COMMIT_WAITS)
        cursor.execute("SELECT pg_advisory_lock(1)")
        try:
            saved = pool.submit(save, server.url)
            eventually(cursor, "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")
            with socket.socket(fileno=os.dup(descriptors[-1])) as duplicate:
                duplicate.shutdown(socket.SHUT_RDWR)
            reference(saved.result())
            cursor.execute("SELECT pg_advisory_unlock(1)")
            eventually(cursor, "SELECT count(*) = 2 FROM mms_template")
        finally:
            cursor.execute("SELECT pg_advisory_unlock_all(); DROP TRIGGER waits ON mms_template; DROP FUNCTION wait()")
    assert [Path(medium.file.path).exists() for medium in Medium.objects.exclude(pk=records.medium.pk)] == [True]


def test_unwritable_media_folder_gets_e503(
    records: SimpleNamespace, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "media").write_text("a file where a folder should be")
    settings.MEDIA_ROOT = tmp_path
    with serving(file(PICTURE)) as server:
        answer = post(request({**SAVE, "slide": image(server.url)}))
    assert reference(answer) in caplog.text
    assert (Template.objects.count(), Medium.objects.count()) == (1, 1)


def test_failed_insert_leaves_no_file(records: SimpleNamespace, settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # pending triggers would block ALTER TABLE
        cursor.execute("ALTER TABLE mms_slidemedium ADD CONSTRAINT none CHECK (source_url = '') NOT VALID")
    with serving(file(PICTURE)) as server:
        reference(post(request({**SAVE, "slide": image(server.url)})))
    assert (Template.objects.count(), Medium.objects.count()) == (1, 1)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_failed_insert_of_an_event_leaves_no_message(
    records: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE mms_event ADD CONSTRAINT none CHECK (kind = '')")
    answer = post(request(SEND))
    assert reference(answer, f"<to>{NUMBER}</to>") in caplog.text
    assert KEY not in caplog.text
    assert not Message.objects.exists()
