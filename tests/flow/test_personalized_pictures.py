"""Personalized pictures: drawn for each message, never stored, the same on every try."""

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from PIL import Image

from mms.models import Message, Rendition, TextArea
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers, postback_codes, submit_rsp

Send = Callable[..., Message]


@pytest.fixture
def area(records: SimpleNamespace) -> TextArea:
    """A red text area at the bottom of the picture of 800 x 600 pixels."""
    area: TextArea = records.template.slides.get(position=1).areas.create(
        text="Dear {{firstname|}}", left=100, top=400, width=600, height=150, font_size=80, color="#ff0000"
    )
    return area


def data(**values: str) -> str:
    return f"<data>{''.join(f'<{name}>{value}</{name}>' for name, value in values.items())}</data>"


def pictures(mmsc: ScriptedServer) -> list[bytes]:
    """Return the picture of each submit."""
    part = re.compile(rb"Content-Type: image/jpeg.*?\r\n\r\n(\xff\xd8.*?)\r\n--", re.DOTALL)
    return [found[1] for sent in mmsc.received if (found := part.search(sent.body))]


def red(picture: bytes) -> tuple[int, int, int, int] | None:
    """Return the bounding box of the red pixels of a picture that is grey otherwise."""
    image = Image.open(io.BytesIO(picture))
    r, g, _ = image.split()
    return (
        Image.composite(r, Image.new("L", r.size), g.point(lambda v: 255 if v < 90 else 0))
        .point(lambda v: 255 if v > 180 else 0)
        .getbbox()
    )


def test_each_message_has_its_own_picture_and_none_is_stored(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, area: TextArea
) -> None:
    send(data(firstname="Bo"))
    send(data(firstname="Wilhelmina"), to="14044790001")
    run_workers()
    short, long = pictures(mmsc)
    assert Image.open(io.BytesIO(short)).size == (640, 480)
    boxes = [red(short), red(long)]
    assert all(box and box[0] >= 80 and box[1] >= 320 and box[2] <= 560 and box[3] <= 440 for box in boxes)
    assert boxes[0] != boxes[1]
    assert not Rendition.objects.exists()
    (changes,) = {tuple(m.events.get(kind="adapted").details["changes"]) for m in Message.objects.all()}
    assert re.fullmatch(
        r"slide 1: the picture is re-encoded as JPEG of .* bytes: text is drawn onto it, .*", changes[0]
    )


def test_retry_draws_the_same_bytes(send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, area: TextArea) -> None:
    mmsc.answer_next(submit_rsp(code=3000), submit_rsp(code=3000))
    message = send(data(firstname="Bo"))
    now = datetime.now(UTC)
    run_workers()
    for minutes in (5, 20):
        run_workers(now + timedelta(minutes=minutes))
    sent = pictures(mmsc)
    assert (len(sent), len(set(sent))) == (3, 1)
    message.refresh_from_db()
    assert message.status == "submitted"


def test_picture_with_empty_texts_is_a_shared_rendition(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, area: TextArea
) -> None:
    TextArea.objects.update(text="{{firstname|}}")
    send()
    run_workers()
    assert [red(picture) for picture in pictures(mmsc)] == [None]
    assert Rendition.objects.count() == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Dear {{nickname}}", "no value for {{nickname}}"),
        ("word " * 90, "the text does not fit into its box of 600 x 150 pixels, not even in a font size of 40"),
    ],
)
def test_text_that_no_longer_fits_fails_the_message(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, area: TextArea, text: str, reason: str
) -> None:
    message = send(data(firstname="Bo"))
    TextArea.objects.update(text=text)
    run_workers()
    message.refresh_from_db()
    assert (message.status, postback_codes(message), mmsc.received) == ("failed", ["E101"], [])
    assert message.postbacks.get().fields["status-details"] == reason


def test_deleting_a_template_deletes_its_text_areas(send: Send, post: Callable[[str], bytes], area: TextArea) -> None:
    post(
        "<request><action>deleteMMSID</action><api-key>qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlZ</api-key>"
        "<mms-id>35674</mms-id></request>"
    )
    assert not TextArea.objects.exists()
