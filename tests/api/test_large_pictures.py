"""Large pictures: those that do not fit into memory together are decoded in turn."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from types import SimpleNamespace

import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image

from base import request_slots
from base.request_slots import SLOTS, FairSlots, WaitedTooLongError, WeightLimit
from billing import keys
from billing.models import Account
from mms.adaptation import decoding, images
from mms.api.slides import CONCURRENT_FETCHES_MAX
from mms.models import Medium, Template
from tests.api.documents import KEY, SAVE, Elements, failure, file, image, request
from tests.api.test_slow_file_servers import TIMEOUT, save_request
from tests.api.wsgi import call_wsgi
from tests.processes.platform_under_test import eventually
from tests.scripted import ScriptedServer, serving
from tests.wire import photograph


@pytest.fixture
def file_server() -> Iterator[ScriptedServer]:
    with serving(file()) as server:
        yield server


def post(elements: Elements) -> bytes:
    return bytes(Client().post("/ep/v1/", request(elements), content_type="text/xml").content)


@contextmanager
def memory_in_use() -> Iterator[None]:
    """Hold all memory for decoded pictures, as another request would."""
    with decoding._decoding.enter(decoding.DECODED_MAX):
        yield


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_waiting_pictures_hold_no_request_slot(records: SimpleNamespace, file_server: ScriptedServer) -> None:
    accounts = [Account.objects.create(name=f"Waiting {number}") for number in range(SLOTS // CONCURRENT_FETCHES_MAX)]
    waiting = [keys.issue(account) for account in accounts for _ in range(CONCURRENT_FETCHES_MAX)]
    with ThreadPoolExecutor(SLOTS + 1) as pool:
        with memory_in_use():
            calls = [pool.submit(call_wsgi, save_request(key, file_server.url)) for key in waiting]
            eventually(lambda: len(decoding._decoding.waiting) == SLOTS, decoding.WAIT_MAX)
            login = pool.submit(call_wsgi, request({"action": "loginUser", "api-key": KEY}))
            assert b"Success" in login.result(TIMEOUT / 2)
        assert all(b"Success" in call.result(TIMEOUT) for call in calls)
    assert (decoding._decoding.used, len(decoding._decoding.waiting)) == (0, 0)


@pytest.mark.parametrize("action", ["saveMMS", "sendMMS"])
def test_picture_that_waits_too_long_is_refused(
    records: SimpleNamespace, file_server: ScriptedServer, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding._decoding, "seconds", 0.01)
    elements = {**SAVE, "action": action, "slide": image(file_server.url)}
    if action == "sendMMS":
        elements |= {"to": "14044790000", "from": "28444", "service-id": "12345"}
    before = Template.objects.count()
    with memory_in_use():
        answer = post(elements)
    busy = "slide 1: too many large pictures are being checked at the moment; wait, then retry"
    assert answer == failure("E113", busy, "14044790000" if action == "sendMMS" else "")
    assert Template.objects.count() == before
    assert b"Success" in post(elements)


def test_thumbnail_that_waits_too_long_gets_503(
    records: SimpleNamespace, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding._decoding, "seconds", 0.01)
    page = reverse("admin:mms_medium_thumbnail", args=[Medium.objects.get().pk])
    with memory_in_use():
        assert (admin_client.get(page).status_code, admin_client.get(page)["Retry-After"]) == (503, "10")
    assert admin_client.get(page).status_code == 200


def test_weights_enter_in_turn_within_the_limit() -> None:
    limit, order = WeightLimit(10, TIMEOUT), []

    def enter(weight: int) -> None:
        with limit.enter(weight):
            assert limit.used <= 10
            order.append(weight)

    with ThreadPoolExecutor(3) as pool:
        with limit.enter(6):
            for number, weight in enumerate((99, 1, 2), 1):  # the first enters alone, those behind it do not overtake
                pool.submit(enter, weight)
                eventually(lambda number=number: len(limit.waiting) == number)  # type: ignore[misc]
        pool.shutdown()
    assert (order[0], sorted(order), limit.used) == (99, [1, 2, 99], 0)


def test_weight_that_waited_too_long_lets_others_pass() -> None:
    limit, refused = WeightLimit(10, 0.01), threading.Event()
    with limit.enter(6):
        with pytest.raises(WaitedTooLongError), limit.enter(5):
            refused.set()
        with limit.enter(4):
            assert (limit.used, refused.is_set()) == (10, False)
    assert limit.used == 0


def test_memory_is_free_while_its_owner_waits_for_a_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    slots, memory, entered = FairSlots(1, 1), WeightLimit(10, TIMEOUT), threading.Event()
    monkeypatch.setattr(request_slots, "_slots", slots)

    def check_picture() -> None:
        with request_slots.held("a"), memory.enter(10):
            entered.set()

    with ThreadPoolExecutor(1) as pool:
        with memory.enter(10):
            pool.submit(check_picture)
            eventually(lambda: len(memory.waiting) == 1 and slots.free == 1)
            slots.acquire("b")
        eventually(lambda: bool(slots.waiting))
        try:
            with memory.enter(10):
                slots.release("b")
                eventually(lambda: len(memory.waiting) == 1 and slots.free == 1)
        except WaitedTooLongError:
            slots.release("b")
            raise
        assert entered.wait(TIMEOUT)
    assert (memory.used, len(memory.waiting), slots.free) == (0, 0, 1)


@pytest.mark.parametrize(
    ("options", "per_pixel"),
    [({"format": "PNG"}, 5), ({"format": "JPEG"}, 5), ({"format": "JPEG", "progressive": True}, 6)],
)
def test_weight_counts_pixels_and_format(
    options: dict[str, object], per_pixel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = BytesIO()
    Image.new("RGB", (100, 50)).save(out, **options)  # type: ignore[arg-type]
    with decoding.open_image(out.getvalue()):
        assert decoding._decoding.used == 100 * 50 * per_pixel
    with pytest.raises(images.ImageCorrupted), decoding.open_image(photograph()):
        raise ValueError("damaged")
    assert decoding._decoding.used == 0
