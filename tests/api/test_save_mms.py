"""saveMMS: content is stored completely or not at all, and identical files once."""

import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from PIL import Image

from mms.models import Medium, Message, Template
from tests.adaptation.pictures import encode_picture
from tests.api.documents import SAVE, SEND, file, image, request
from tests.api.sockets import read_headers, tcp_server
from tests.scripted import ScriptedServer, serving

pytestmark = pytest.mark.usefixtures("public_loopback")

CallApi = Callable[[bytes], bytes]

PICTURE = Image.radial_gradient("L").resize((64, 48)).convert("RGB")


@pytest.fixture
def web() -> Iterator[ScriptedServer]:
    with serving(file()) as server:
        yield server


@pytest.fixture
def media_folder(tmp_path: Path, settings: SimpleNamespace) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def files(folder: Path) -> list[str]:
    return sorted(path.name[:64] for path in folder.rglob("*") if path.is_file())


def content(medium: Medium) -> bytes:
    with medium.file.open() as file:
        return bytes(file.read())


def stored(answer: bytes) -> Template:
    found = re.fullmatch(
        rb'<\?xml version="1.0" encoding="UTF-8"\?>\n<response><status>Success</status><mms-id>(\d+)</mms-id>'
        rb"<status-details>MMS content stored</status-details></response>",
        answer,
    )
    assert found, answer
    return Template.objects.get(pk=int(found[1]))


@pytest.mark.parametrize(
    ("data", "declared", "mime_type", "frames"),
    [
        (encode_picture(PICTURE, "JPEG"), "image/jpeg", "image/jpeg", 1),
        (encode_picture(PICTURE, "PNG"), "image/png", "image/png", 1),
        (encode_picture(PICTURE.convert("P"), "GIF"), "image/gif", "image/gif", 1),
        (
            encode_picture(PICTURE, "GIF", save_all=True, append_images=[PICTURE.rotate(90)]),
            "image/gif",
            "image/gif",
            2,
        ),
        (encode_picture(PICTURE, "WEBP"), "image/webp", "image/webp", 1),
        (encode_picture(PICTURE, "HEIF"), "image/heic", "image/heic", 1),
        (encode_picture(PICTURE, "AVIF"), "image/avif", "image/avif", 1),
        (encode_picture(PICTURE, "BMP"), "image/bmp", "image/bmp", 1),
        # The bytes determine the type; the declared type only has to be an image or unknown.
        (encode_picture(PICTURE, "PNG"), "image/jpeg; charset=binary", "image/png", 1),
        (encode_picture(PICTURE, "PNG"), "application/octet-stream", "image/png", 1),
        (encode_picture(PICTURE, "PNG"), "BINARY/octet-stream", "image/png", 1),
        (encode_picture(PICTURE, "PNG"), "", "image/png", 1),
    ],
)
def test_picture_is_stored_unchanged(
    call_api: CallApi, web: ScriptedServer, data: bytes, declared: str, mime_type: str, frames: int
) -> None:
    web.answer_next(file(data, declared))
    template = stored(call_api(request({**SAVE, "slide": image(f"{web.url}/picture")})))
    medium = template.slides.get().media.get()
    assert (medium.sha256, medium.mime_type, medium.frames) == (hashlib.sha256(data).hexdigest(), mime_type, frames)
    assert (medium.size, medium.width, medium.height, content(medium)) == (len(data), 64, 48, data)


def test_subject_length_counts_defaults_instead_of_merge_tags(call_api: CallApi, records: SimpleNamespace) -> None:
    subject = "{{the_name_that_our_records_have_of_the_customer|dear customer}}" + "x" * 67
    template = stored(call_api(request({**SAVE, "message-subject": subject})))
    assert template.subject == subject
    assert b"Success" in call_api(request({**SEND, "mms-id": str(template.pk)}))
    assert Message.objects.get().subject == "dear customer" + "x" * 67


def test_slides_keep_their_order_texts_and_durations(call_api: CallApi, web: ScriptedServer) -> None:
    pictures = [encode_picture(PICTURE.rotate(angle), "PNG") for angle in (0, 90)]
    web.answer_next(*[file(picture, "image/png") for picture in pictures])
    slides = [
        f"<duration> 60 </duration><message-text> Two\nlines </message-text>{image(f'{web.url}/1')}",
        f"<message-text>{'ü' * 5000}</message-text><unknown/>",
        f"<duration>1</duration>{image(f'{web.url}/2')}",
        *["<message-text>{{name|you}}</message-text><duration/>"] * 5,
    ]
    template = stored(
        call_api(request({**SAVE, "name": "ü" * 200, "message-subject": "{{name}}, hello", "slide": slides}))
    )
    assert (template.name, template.subject, template.account.name) == ("ü" * 200, "{{name}}, hello", "Customer")
    rows = [(slide.position, slide.text, slide.duration) for slide in template.slides.all()]
    assert rows == [
        (1, "Two\nlines", 60),
        (2, "ü" * 5000, 10),
        (3, "", 1),
        *((position, "{{name|you}}", 10) for position in range(4, 9)),
    ]
    media = [content(slide.media.get()) for slide in template.slides.filter(position__in=[1, 3])]
    assert media == pictures
    urls = template.slides.filter(slidemedium__isnull=False).values_list("slidemedium__source_url", flat=True)
    assert list(urls) == [f"{web.url}/1", f"{web.url}/2"]


def test_identical_files_are_stored_once(call_api: CallApi, web: ScriptedServer, media_folder: Path) -> None:
    before = Medium.objects.count()
    web.default = file(encode_picture(PICTURE, "PNG"))
    first = stored(call_api(request({**SAVE, "slide": [image(f"{web.url}/1"), image(f"{web.url}/2")]})))
    second = stored(call_api(request({**SAVE, "slide": image(f"{web.url}/3")})))
    medium = Medium.objects.latest("pk")
    assert Medium.objects.count() == before + 1
    assert [slide.media.get() for template in (first, second) for slide in template.slides.all()] == [medium] * 3
    assert files(media_folder) == [medium.sha256]


def test_request_that_fails_late_stores_nothing(call_api: CallApi, web: ScriptedServer, media_folder: Path) -> None:
    web.answer_next(file(encode_picture(PICTURE, "PNG")), file(b"Hello"))
    assert b"E629" in call_api(request({**SAVE, "slide": [image(f"{web.url}/1"), image(f"{web.url}/2")]}))
    assert (Template.objects.count(), Medium.objects.count(), files(media_folder)) == (1, 1, [])


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_concurrent_identical_files_are_stored_once(
    records: SimpleNamespace, media_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [encode_picture(PICTURE.rotate(angle), "PNG") for angle in (0, 90)]
    hashes = [hashlib.sha256(picture).hexdigest() for picture in pictures]
    barrier = threading.Barrier(4)
    save_file = default_storage.save

    def save_with_the_others(name: str, data: "File[bytes]") -> str:
        stored_name = save_file(name, data)
        barrier.wait(timeout=30)
        return stored_name

    def serve(connection: socket.socket) -> None:
        picture = pictures[int(read_headers(connection).split()[1][1:])]
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(picture), picture))

    def save(sequence: tuple[int, int]) -> bytes:
        slides = [image(f"{gallery.url}/{number}") for number in sequence]
        try:
            return bytes(Client().post("/ep/v1/", request({**SAVE, "slide": slides}), content_type="text/xml").content)
        finally:
            connection.close()

    monkeypatch.setattr(default_storage, "save", save_with_the_others)
    sequences = [(0, 1), (1, 0)] * 2
    with tcp_server(serve) as gallery, ThreadPoolExecutor(4) as pool:
        templates = [stored(answer) for answer in pool.map(save, sequences)]
    for template, sequence in zip(templates, sequences, strict=True):
        assert [slide.media.get().sha256 for slide in template.slides.all()] == [hashes[number] for number in sequence]
    assert Medium.objects.filter(sha256__in=hashes).count() == 2
    assert files(media_folder) == sorted(hashes)
    assert {content(medium) for medium in Medium.objects.filter(sha256__in=hashes)} == set(pictures)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("action", ["saveMMS", "sendMMS"])
def test_fetching_media_holds_no_database_connection(
    records: SimpleNamespace, media_folder: Path, call_api: CallApi, action: str
) -> None:
    connections_in_use: list[int] = []

    def serve(client: socket.socket) -> None:
        read_headers(client)
        counts = connection.pool.get_stats()  # type: ignore[attr-defined]  # PostgreSQL's has it
        connections_in_use.append(counts["pool_size"] - counts["pool_available"])
        picture = encode_picture(PICTURE, "PNG")
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(picture), picture))

    with tcp_server(serve) as gallery:
        response = call_api(request({**SEND, **SAVE, "action": action, "slide": image(f"{gallery.url}/a")}))
    assert b"Success" in response
    assert connections_in_use == [0]
