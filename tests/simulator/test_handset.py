"""A handset refuses what a real one of its kind would refuse."""

from email.message import Message
from io import BytesIO

import pytest
from PIL import Image

from simulator.handset import Handset, refusal
from simulator.mime import Part
from simulator.numbers import HANDSETS
from tests.simulator.network import network, sample

IPHONE, GALAXY, SLVR, T610 = (HANDSETS[digits] for digits in ("00", "01", "03", "04"))


def part(mime_type: str, body: bytes) -> Part:
    headers = Message()
    headers["Content-Type"] = mime_type
    headers["Content-Location"] = "it"
    return Part(headers, body)


def picture(size: tuple[int, int], kind: str = "JPEG", mode: str = "RGB", **options: bool) -> bytes:
    buffer = BytesIO()
    Image.new(mode, size).save(buffer, kind, **options)
    return buffer.getvalue()


TAKEN = [
    (T610, part("image/jpeg", picture((160, 120)))),
    (T610, part("image/jpeg", picture((120, 160)))),
    (T610, part("image/gif", picture((90, 90), "GIF", "P"))),
    (T610, part("text/plain", b"hello")),
    (SLVR, part("image/png", picture((640, 480), "PNG"))),
    (IPHONE, part("image/jpeg", picture((1600, 1600), progressive=True))),
    (GALAXY, part("video/mp4", bytes(600 * 1024))),
]
REFUSED = [
    (T610, part("image/jpeg", picture((161, 120))), "picture of 161x120, the handset decodes 160x120"),
    (T610, part("image/jpeg", picture((121, 130))), "picture of 121x130"),
    (T610, part("image/png", picture((90, 90), "PNG")), "does not know image/png"),
    (T610, part("audio/amr", bytes(30 * 1024 + 1)), "message of 30721 bytes, the handset takes 30720"),
    (SLVR, part("image/jpeg", picture((64, 48), progressive=True)), "neither baseline JPEG"),
    (SLVR, part("image/jpeg", picture((64, 48), mode="CMYK")), "nor plain RGB"),
    (IPHONE, part("image/webp", picture((64, 48), "WEBP")), "does not know image/webp"),
    (IPHONE, part("image/jpeg", picture((64, 48), "PNG")), "declared image/jpeg, is image/png"),
    (IPHONE, part("image/jpeg", b"\xff\xd8 not a picture"), "not a picture"),
]


@pytest.mark.parametrize(("handset", "received"), TAKEN)
def test_what_fits_is_taken(handset: Handset, received: Part) -> None:
    assert refusal(handset, (received,)) is None


@pytest.mark.parametrize(("handset", "received", "reason"), REFUSED)
def test_what_does_not_fit_is_refused_with_the_reason(handset: Handset, received: Part, reason: str) -> None:
    assert reason in (refusal(handset, (received,)) or "")


def test_all_parts_count_towards_the_size_of_a_message() -> None:
    half = part("audio/amr", bytes(16 * 1024))
    assert refusal(T610, (half,)) is None
    assert "message of 32768 bytes" in (refusal(T610, (half, half)) or "")


async def test_a_refused_message_is_taken_by_the_mmsc_and_reported_rejected() -> None:
    request = sample("picture").having(b"Content-Type: image/jpeg", b"Content-Type: image/png")
    async with network() as net:
        await net.submit(request.to("14044790400"))
        report = await net.vasp.report()
        assert report["MMStatus"] == "Rejected"
        assert report.handset == T610.identity
        assert (await net.last_submit())["refused"] == "picture.jpg: the handset does not know image/png"
