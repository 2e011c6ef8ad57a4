"""Encoding: templates with audio or video are locked, encoded by a worker, unlocked or failed."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import connection, transaction

from mms.content import deletion
from mms.encoding import queue, worker
from mms.messages import sweeper
from mms.models import Encoding, Message, Postback, Rendition
from mms.rendering import renditions
from tests.adaptation.clips import make_audio, make_video
from tests.api.documents import KEY, SEND, file
from tests.flow.media import CallApi, Save, child
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers


def postback_bodies(customer: ScriptedServer) -> list[str]:
    """Return the content of each received postback, without origin and timestamp."""
    return [
        re.sub(r"<timestamp>.*?</timestamp>|<origin>MMS_MT</origin>", "", sent.body.decode().partition("<postback>")[2])
        for sent in customer.received
    ]


def test_template_with_audio_is_locked_until_encoded(
    save: Save, call_api: CallApi, run_workers: RunWorkers, customer: ScriptedServer
) -> None:
    template = save("audio")
    assert b"<error-code>E626</error-code>" in call_api({**SEND, "mms-id": str(template.pk)})
    worker.run()
    run_workers()
    template.refresh_from_db()
    assert (template.status, template.slides.get().duration) == ("ready", 2)
    assert postback_bodies(customer) == [f"<code>N003</code><mms-id>{template.pk}</mms-id></postback>"]
    assert b"<status>Success</status>" in call_api({**SEND, "mms-id": str(template.pk)})


def test_message_has_the_format_that_the_handset_supports(
    save: Save, call_api: CallApi, run_workers: RunWorkers, mmsc: ScriptedServer, web: ScriptedServer
) -> None:
    web.answer_next(file(make_audio(), "audio/mpeg"), file(make_video(), "video/mp4"))
    template = save("audio", "video")
    worker.run()
    call_api({**SEND, "mms-id": str(template.pk)})
    run_workers()
    (sent,) = mmsc.received
    assert [part.decode() for part in re.findall(rb"Content-Type: ((?:audio|video)/\w+)", sent.body)] == [
        "audio/amr",
        "video/3gpp",
    ]
    assert b'<par dur="2000ms"><text src="slide1.txt" region="Text" /><audio src="slide1.amr" /></par>' in sent.body
    assert b'<par dur="2000ms"><video src="slide2.3gp" region="Image" /><text src="slide2.txt"' in sent.body
    for rendition in Rendition.objects.filter(recipe__in=["audio-amr", "video-3gp"]):
        assert renditions.read_file(rendition) in sent.body
    adapted = Message.objects.get().events.get(kind="adapted")
    assert [change.partition(" of ")[0] for change in adapted.details["changes"]] == [
        "slide 1: the audio is sent as audio/amr",
        "slide 2: the video is sent as video/3gpp",
    ]


def test_unsupported_object_is_left_out_and_noted(
    save: Save,
    call_api: CallApi,
    run_workers: RunWorkers,
    mmsc: ScriptedServer,
    web: ScriptedServer,
    records: SimpleNamespace,
) -> None:
    from handsets.models import Profile

    card = b"BEGIN:VCARD\r\nFN:Ann\r\nEND:VCARD\r\n"
    web.default = file(card, "text/vcard")
    template = save("vcard")
    Profile.objects.filter(generic=True).update(mime_types=["image/jpeg"])
    call_api({**SEND, "mms-id": str(template.pk)})
    run_workers()
    changes = Message.objects.latest("pk").events.get(kind="adapted").details["changes"]
    assert changes == ["slide 1: the text/x-vcard file is left out: the handset does not support text/x-vcard"]
    Profile.objects.filter(generic=True).update(mime_types=["image/jpeg", "text/vcard"])
    call_api({**SEND, "mms-id": str(template.pk)})
    run_workers()
    assert card not in mmsc.received[0].body
    assert b"Content-Type: text/vcard" in mmsc.received[1].body
    assert card in mmsc.received[1].body


def test_same_bytes_are_encoded_once(save: Save, run_workers: RunWorkers, customer: ScriptedServer) -> None:
    save("audio")
    worker.run()
    again = save("audio")
    run_workers()
    assert (again.status, again.slides.get().duration) == ("ready", 2)
    assert [line[:17] for line in postback_bodies(customer)] == ["<code>N003</code>"] * 2
    assert Encoding.objects.get().tries == 1
    assert Rendition.objects.count() == 2


@pytest.mark.parametrize(
    ("name", "data", "declared", "code"),
    [
        ("audio", b"ID3" + bytes(500), "audio/mpeg", "E002"),
        ("video", b"\x00\x00\x01\xba" + bytes(500), "video/mpeg", "E003"),
    ],
)
def test_failed_encoding_fails_the_template_with_a_reason(
    save: Save, call_api: CallApi, run_workers: RunWorkers, customer: ScriptedServer, web: ScriptedServer,
    name: str, data: bytes, declared: str, code: str,
) -> None:  # fmt: skip
    web.default = file(data, declared)
    template = save(name)
    worker.run()
    run_workers()
    template.refresh_from_db()
    assert template.status == "failed"
    assert template.problem.startswith(f"slide 1: the {name} could not be encoded: it is damaged, or its codec")
    (body,) = postback_bodies(customer)
    assert body == (
        f"<code>{code}</code><mms-id>{template.pk}</mms-id><status-details>{template.problem}</status-details>"
        f"<{name}-name>{web.url}/a</{name}-name></postback>"
    )
    assert b"<error-code>E629</error-code>" in call_api({**SEND, "mms-id": str(template.pk)})


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import os; os.abort()", "its codec crashed (signal 6)"),
        ("import os; os.kill(os.getpid(), 11)", "its codec crashed (signal 11)"),
        ("raise MemoryError", "its codec crashed"),
        ("import signal, sys; signal.alarm(int(sys.argv[4])); signal.pause()", "it took longer than 1 seconds"),
    ],
)
def test_crashing_or_hanging_codec_fails_its_medium(save: Save, code: str, problem: str) -> None:
    template = save("audio")
    worker.run(child=child(code), timeout=1)
    template.refresh_from_db()
    assert template.problem == f"slide 1: the audio could not be encoded: {problem}"


def test_saving_again_retries_a_failed_encoding(save: Save) -> None:
    first = save("audio")
    worker.run(child=child("raise SystemExit(1)"))
    second = save("audio")
    worker.run()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("failed", "ready")


def test_encoding_of_a_dead_worker_is_claimed_again(save: Save) -> None:
    template, now = save("audio"), datetime.now(UTC)
    assert queue.claim(now)
    assert queue.claim(now + timedelta(minutes=3)) is None
    worker.run(lambda: now + queue.LEASE)
    template.refresh_from_db()
    assert (template.status, Encoding.objects.get().tries) == ("ready", 2)


def test_encoding_fails_after_three_dead_workers(save: Save) -> None:
    template, now = save("audio"), datetime.now(UTC)
    for number in range(4):
        queue.claim(now + number * queue.LEASE)
    template.refresh_from_db()
    assert template.problem == "slide 1: the audio could not be encoded: every worker that tried crashed"


def test_worker_without_a_lease_changes_nothing(save: Save) -> None:
    save("audio")
    now = datetime.now(UTC)
    late = queue.claim(now)
    assert late
    worker.run(lambda: now + queue.LEASE)
    queue.fail(late, "too late", now + 2 * queue.LEASE)
    assert not queue.complete(late, [], 9, now + 2 * queue.LEASE)
    assert (Encoding.objects.get().status, Encoding.objects.get().seconds) == ("done", 2)


def test_content_deleted_during_encoding_gets_no_postback(
    save: Save, call_api: CallApi, run_workers: RunWorkers, customer: ScriptedServer
) -> None:
    template, now = save("audio"), datetime.now(UTC)
    claimed = queue.claim(now)
    assert claimed
    assert b"Success" in call_api({"action": "deleteMMSID", "api-key": KEY, "mms-id": str(template.pk)})
    assert not Encoding.objects.exists()
    assert not queue.complete(claimed, [], 2, now)
    run_workers()
    assert customer.received == []


def test_content_with_a_failed_encoding_can_be_deleted(save: Save, call_api: CallApi) -> None:
    template = save("audio")
    worker.run(child=child("raise SystemExit(1)"))
    assert b"Success" in call_api({"action": "deleteMMSID", "api-key": KEY, "mms-id": str(template.pk)})
    assert not Encoding.objects.exists()


def test_medium_of_another_template_is_still_encoded(
    save: Save, call_api: CallApi, run_workers: RunWorkers, customer: ScriptedServer
) -> None:
    deleted, kept = save("audio"), save("audio")
    call_api({"action": "deleteMMSID", "api-key": KEY, "mms-id": str(deleted.pk)})
    worker.run()
    run_workers()
    kept.refresh_from_db()
    assert (kept.status, postback_bodies(customer)) == (
        "ready",
        [f"<code>N003</code><mms-id>{kept.pk}</mms-id></postback>"],
    )


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_deletion_does_not_wait_for_a_running_encoding(save: Save, call_api: CallApi) -> None:
    template, now = save("audio"), datetime.now(UTC)

    def delete() -> bytes:
        try:
            return call_api({"action": "deleteMMSID", "api-key": KEY, "mms-id": str(template.pk)})
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Encoding.objects.select_for_update().get()
        assert b"Success" in pool.submit(delete).result()
    assert template.slides.count() == 1
    sweeper.sweep(now + deletion.RETRY_DELAY + timedelta(minutes=1))
    assert (template.slides.count(), Encoding.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_simultaneous_last_encodings_unlock_the_template_once(save: Save, web: ScriptedServer) -> None:
    web.answer_next(file(make_audio(seconds=1), "audio/mpeg"), file(make_audio(seconds=3), "audio/mpeg"))
    template = save("audio", "audio")
    now = datetime.now(UTC)
    claimed = [queue.claim(now), queue.claim(now)]

    def end(encoding: Encoding | None) -> None:
        assert encoding
        try:
            queue.complete(encoding, [], 2, now)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(end, claimed))
    template.refresh_from_db()
    assert (template.status, Postback.objects.filter(code="N003").count()) == ("ready", 1)
