"""Audio and video on their way: locked, encoded by a worker, unlocked or failed, sent."""

import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client

from billing import ledger
from billing.models import Balance, Price
from mms.adaptation import renditions
from mms.encoding import queue, worker
from mms.models import Encoding, Medium, Message, Postback, Rendition, Template
from tests.adaptation.clips import film, sound
from tests.api.documents import SAVE, SEND, Elements, file, request
from tests.scripted import Scripted, serving
from tests.wire import Drive, codes, kinds

Save = Callable[..., Template]
Post = Callable[[Elements], bytes]

SEND_NEW: Elements = {**SEND, "mms-id": None, "action": "sendMMS", "name": "Song", "message-subject": "A song"}


@pytest.fixture
def web() -> Iterator[Scripted]:
    with serving(file(sound(), "audio/mpeg")) as server:
        yield server


@pytest.fixture
def ask(world: SimpleNamespace) -> Post:
    def ask(elements: Elements) -> bytes:
        return bytes(Client().post("/ep/v1/", request(elements), content_type="text/xml").content)

    return ask


@pytest.fixture
def save(ask: Post, web: Scripted) -> Save:
    """Saves a template of one slide for each of these elements."""

    def save(*names: str) -> Template:
        answer = ask({**SAVE, "slide": [slide(name, web) for name in names]})
        assert b"<status>Success</status>" in answer, answer
        return Template.objects.latest("pk")

    return save


def slide(name: str, web: Scripted) -> str:
    return f"<message-text>Listen</message-text><{name}><url>{web.url}/a</url></{name}>"


def said(customer: Scripted) -> list[str]:
    """Code and what follows mms-id and timestamp, of each postback that the customer got."""
    return [
        re.sub(r"<timestamp>.*?</timestamp>|<origin>MMS_MT</origin>", "", sent.body.decode().partition("<postback>")[2])
        for sent in customer.received
    ]


def child(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_a_template_with_audio_is_locked_until_that_is_encoded(
    save: Save, ask: Post, drive: Drive, customer: Scripted
) -> None:
    template = save("audio")
    assert b"<error-code>E626</error-code>" in ask({**SEND, "mms-id": str(template.pk)})
    worker.run()
    drive()
    template.refresh_from_db()
    assert (template.status, template.slides.get().duration) == ("ready", 2)
    assert said(customer) == [f"<code>N003</code><mms-id>{template.pk}</mms-id></postback>"]
    assert b"<status>Success</status>" in ask({**SEND, "mms-id": str(template.pk)})


def test_it_goes_out_in_a_form_that_the_handset_takes(
    save: Save, ask: Post, drive: Drive, mmsc: Scripted, web: Scripted
) -> None:
    web.first(file(sound(), "audio/mpeg"), file(film(), "video/mp4"))
    template = save("audio", "video")
    worker.run()
    ask({**SEND, "mms-id": str(template.pk)})
    drive()
    (sent,) = mmsc.received
    assert [part.decode() for part in re.findall(rb"Content-Type: ((?:audio|video)/\w+)", sent.body)] == [
        "audio/amr",
        "video/3gpp",
    ]
    assert b'<par dur="2000ms"><text src="slide1.txt" region="Text" /><audio src="slide1.amr" /></par>' in sent.body
    assert b'<par dur="2000ms"><video src="slide2.3gp" region="Image" /><text src="slide2.txt"' in sent.body
    for form in Rendition.objects.filter(recipe__in=["audio-amr", "video-3gp"]):
        assert renditions.stored(form) in sent.body
    adapted = Message.objects.get().events.get(kind="adapted")
    assert [change.partition(" of ")[0] for change in adapted.details["changes"]] == [
        "slide 1: the audio goes out as audio/amr",
        "slide 2: the video goes out as video/3gpp",
    ]


def test_objects_go_out_where_the_handset_takes_them_else_the_timeline_tells(
    save: Save, ask: Post, drive: Drive, mmsc: Scripted, web: Scripted, world: SimpleNamespace
) -> None:
    from handsets.models import Profile

    card = b"BEGIN:VCARD\r\nFN:Ann\r\nEND:VCARD\r\n"
    web.default = file(card, "text/vcard")
    template = save("vcard")
    ask({**SEND, "mms-id": str(template.pk)})
    drive()
    changes = Message.objects.latest("pk").events.get(kind="adapted").details["changes"]
    assert changes == ["slide 1: the text/x-vcard file is left out: the handset does not take text/x-vcard"]
    Profile.objects.filter(generic=True).update(mime_types=["image/jpeg", "text/vcard"])
    ask({**SEND, "mms-id": str(template.pk)})
    drive()
    assert card not in mmsc.received[0].body
    assert b"Content-Type: text/vcard" in mmsc.received[1].body
    assert card in mmsc.received[1].body


def test_the_same_bytes_are_encoded_once_and_later_templates_are_ready_at_once(
    save: Save, drive: Drive, customer: Scripted
) -> None:
    save("audio")
    worker.run()
    again = save("audio")
    drive()
    assert (again.status, again.slides.get().duration) == ("ready", 2)
    assert [line[:17] for line in said(customer)] == ["<code>N003</code>"] * 2
    assert Encoding.objects.get().tries == 1
    assert Rendition.objects.count() == 2


@pytest.mark.parametrize(
    ("name", "data", "declared", "code"),
    [
        ("audio", b"ID3" + bytes(500), "audio/mpeg", "E002"),
        ("video", b"\x00\x00\x01\xba" + bytes(500), "video/mpeg", "E003"),
    ],
)
def test_what_cannot_be_encoded_fails_its_template_and_says_why(
    save: Save, ask: Post, drive: Drive, customer: Scripted, web: Scripted,
    name: str, data: bytes, declared: str, code: str,
) -> None:  # fmt: skip
    web.default = file(data, declared)
    template = save(name)
    worker.run()
    drive()
    template.refresh_from_db()
    assert template.status == "failed"
    assert template.problem.startswith(f"slide 1: the {name} could not be encoded: it is damaged, or its codec")
    (told,) = said(customer)
    assert told == (
        f"<code>{code}</code><mms-id>{template.pk}</mms-id><status-details>{template.problem}</status-details>"
        f"<{name}-name>{web.url}/a</{name}-name></postback>"
    )
    assert b"<error-code>E629</error-code>" in ask({**SEND, "mms-id": str(template.pk)})


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import os; os.abort()", "its codec broke down (signal 6)"),
        ("import os; os.kill(os.getpid(), 11)", "its codec broke down (signal 11)"),
        ("raise MemoryError", "its codec broke down"),
        ("import signal, sys; signal.alarm(int(sys.argv[4])); signal.pause()", "it took longer than 1 seconds"),
    ],
)
def test_a_codec_that_crashes_or_hangs_fails_that_one_medium(save: Save, code: str, problem: str) -> None:
    template = save("audio")
    worker.run(child=child(code), timeout=1)
    template.refresh_from_db()
    assert template.problem == f"slide 1: the audio could not be encoded: {problem}"


def test_what_failed_is_tried_again_when_it_is_saved_again(save: Save) -> None:
    first = save("audio")
    worker.run(child=child("raise SystemExit(1)"))
    second = save("audio")
    worker.run()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("failed", "ready")


def test_a_worker_that_dies_leaves_its_encoding_to_the_next(save: Save) -> None:
    template, now = save("audio"), datetime.now(UTC)
    assert queue.claim(now)
    assert queue.claim(now + timedelta(minutes=3)) is None
    worker.run(lambda: now + queue.LEASE)
    template.refresh_from_db()
    assert (template.status, Encoding.objects.get().tries) == ("ready", 2)


def test_an_encoding_that_kills_every_worker_fails(save: Save) -> None:
    template, now = save("audio"), datetime.now(UTC)
    for number in range(4):
        queue.claim(now + number * queue.LEASE)
    template.refresh_from_db()
    assert template.problem == "slide 1: the audio could not be encoded: it stopped every worker that tried"


def test_a_worker_whose_lease_is_over_changes_nothing(save: Save) -> None:
    save("audio")
    now = datetime.now(UTC)
    late = queue.claim(now)
    assert late
    worker.run(lambda: now + queue.LEASE)
    queue.failed(late, "too late", now + 2 * queue.LEASE)
    assert not queue.done(late, [], 9, now + 2 * queue.LEASE)
    assert (Encoding.objects.get().status, Encoding.objects.get().seconds) == ("done", 2)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_workers_that_end_the_last_two_at_once_unlock_the_template(save: Save, web: Scripted) -> None:
    web.first(file(sound(seconds=1), "audio/mpeg"), file(sound(seconds=3), "audio/mpeg"))
    template = save("audio", "audio")
    now = datetime.now(UTC)
    claimed = [queue.claim(now), queue.claim(now)]

    def end(encoding: Encoding | None) -> None:
        assert encoding
        try:
            queue.done(encoding, [], 2, now)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(end, claimed))
    template.refresh_from_db()
    assert (template.status, Postback.objects.filter(code="N003").count()) == ("ready", 1)


# --- sendMMS ------------------------------------------------------------------------------------------------------


def test_sendmms_stores_and_sends_in_one(
    ask: Post, web: Scripted, drive: Drive, mmsc: Scripted, world: SimpleNamespace
) -> None:
    answer = ask({**SEND_NEW, "slide": "<message-text>Hello {{name|you}}</message-text>"})
    message = Message.objects.get()
    assert answer == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<response><status>Success</status>'
        b"<mms-id>%d</mms-id><tracking-id>%s</tracking-id><to>14044790000</to><from>28444</from>"
        b"<status-details>MMS request accepted and queued for delivery</status-details></response>"
        % (message.template_id, message.tracking_id.encode())
    )
    drive()
    assert b"Hello you" in mmsc.received[0].body
    assert b"<Subject>A song</Subject>" in mmsc.received[0].body
    assert codes(message) == ["N101"]


def test_sendmms_with_audio_waits_for_its_encoding(ask: Post, web: Scripted, drive: Drive, mmsc: Scripted) -> None:
    ask({**SEND_NEW, "slide": slide("audio", web)})
    drive()
    assert mmsc.received == []
    worker.run()
    drive()
    message = Message.objects.get()
    assert b"Content-Type: audio/amr" in mmsc.received[0].body
    assert (kinds(message), codes(message)) == (["accepted", "encoded", "adapted", "submitted"], ["N013", "N101"])


def test_sendmms_of_what_was_encoded_before_is_sent_at_once(
    ask: Post, save: Save, web: Scripted, drive: Drive, mmsc: Scripted
) -> None:
    save("audio")
    worker.run()
    ask({**SEND_NEW, "slide": slide("audio", web)})
    drive()
    assert len(mmsc.received) == 1
    assert codes(Message.objects.get()) == ["N013", "N101"]


def test_sendmms_whose_audio_cannot_be_encoded_fails_and_costs_nothing(
    ask: Post, web: Scripted, drive: Drive, customer: Scripted, world: SimpleNamespace
) -> None:
    Price.objects.create(message_class="mms", amount=50)
    ledger.top_up(world.account, 1000, "", datetime.now(UTC))
    ask({**SEND_NEW, "slide": slide("audio", web)})
    worker.run(child=child("raise SystemExit(1)"))
    drive()
    message = Message.objects.get()
    assert (message.status, codes(message)) == ("failed", ["E012", "E101"])
    told = message.postbacks.first()
    assert told
    assert (told.fields["audio-name"], told.fields["tracking-id"]) == (f"{web.url}/a", message.tracking_id)
    assert (Balance.objects.get().balance, Balance.objects.get().reserved, ledger.prove()) == (1000, 0, [])


def test_sendmms_that_expires_before_its_encoding_fails(ask: Post, web: Scripted, drive: Drive) -> None:
    ask({**SEND_NEW, "slide": slide("audio", web)})
    drive(datetime.now(UTC) + timedelta(days=3, seconds=1))
    message = Message.objects.get()
    assert (message.status, codes(message)) == ("failed", ["E101"])


def test_sendmms_without_funds_stores_nothing(
    ask: Post, web: Scripted, world: SimpleNamespace, settings: SimpleNamespace, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    Price.objects.create(message_class="mms", amount=50)
    answer = ask({**SEND_NEW, "slide": slide("audio", web)})
    assert b"<error-code>E713</error-code>" in answer
    assert (Template.objects.count(), Medium.objects.count(), Message.objects.count()) == (1, 1, 0)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": None}, "E110"),
        ({"from": None}, "E111"),
        ({"name": None}, "E311"),
        ({"slide": None}, "E312"),
        ({"message-subject": "\u4f60"}, "E314"),
        ({"service-id": None}, "E627"),
        ({"to": "442071838750"}, "E111"),
    ],
)
def test_sendmms_checks_all_before_it_fetches(ask: Post, web: Scripted, change: Elements, code: str) -> None:
    assert f"<error-code>{code}</error-code>".encode() in ask({**SEND_NEW, "slide": slide("audio", web), **change})
    assert web.received == []
