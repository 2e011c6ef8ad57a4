"""A handset rejects the content that the real model would reject."""

from email.message import Message
from io import BytesIO

import pytest
from PIL import Image

from simulator.handset import Handset, rejection_reason
from simulator.mime import Part
from simulator.numbers import HANDSETS
from tests.adaptation.clips import make_audio, make_video
from tests.simulator.network import network, sample

IPHONE, GALAXY, SLVR, T610, NOKIA = (HANDSETS[digits] for digits in ("00", "01", "03", "04", "13"))


def part(mime_type: str, body: bytes) -> Part:
    headers = Message()
    headers["Content-Type"] = mime_type
    headers["Content-Location"] = "it"
    return Part(headers, body)


def picture(size: tuple[int, int], kind: str = "JPEG", mode: str = "RGB", **options: bool) -> bytes:
    buffer = BytesIO()
    Image.new(mode, size).save(buffer, kind, **options)
    return buffer.getvalue()


def mpo() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (64, 48)).save(buffer, "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    return buffer.getvalue()


ACCEPTED = [
    (T610, part("image/jpeg", picture((160, 120)))),
    (T610, part("image/jpeg", picture((120, 160)))),
    (T610, part("image/gif", picture((90, 90), "GIF", "P"))),
    (T610, part("text/plain", b"hello")),
    (SLVR, part("image/png", picture((640, 480), "PNG"))),
    (IPHONE, part("image/jpeg", picture((1600, 1600), progressive=True))),
    (IPHONE, part("image/png", picture((64, 48), "PNG", "RGBA"))),
    (IPHONE, part("image/jpeg", picture((64, 48), "MPO", save_all=True))),
    (GALAXY, part("video/mp4", bytes(600 * 1024))),
    (NOKIA, part("video/3gpp", make_video("3gp", "mpeg4", "", seconds=1, size=(176, 144)))),
]
REJECTED = [
    (T610, part("image/jpeg", picture((161, 120))), "picture of 161x120 exceeds the handset's 160x120"),
    (T610, part("image/jpeg", picture((121, 130))), "picture of 121x130"),
    (T610, part("image/png", picture((90, 90), "PNG")), "does not support image/png"),
    (T610, part("audio/amr", bytes(30 * 1024 + 1)), "message of 30721 bytes exceeds the handset's limit of 30720"),
    (SLVR, part("image/jpeg", picture((64, 48), progressive=True)), "only baseline JPEG"),
    (SLVR, part("image/jpeg", picture((64, 48), mode="CMYK")), "in RGB or greyscale"),
    (SLVR, part("image/png", picture((64, 48), "PNG", "RGBA")), "no PNG with transparency"),
    (SLVR, part("image/png", picture((64, 48), "PNG", "LA")), "no PNG with transparency"),
    (SLVR, part("image/png", picture((64, 48), "PNG", "I;16")), "none of 16 bits"),
    (SLVR, part("image/jpeg", mpo()), "no multi-picture JPEG"),
    (SLVR, part("audio/amr", b"#!AMR-WB\n"), "only AMR-NB"),
    (NOKIA, part("audio/mp4", make_audio("ipod", "aac", 1)), "needs the index of an MP4 before its media"),
    (NOKIA, part("video/3gpp", make_video("3gp", "libx264", "", 1, (176, 144))), "only H.264 baseline up to level 3.0"),
    (IPHONE, part("image/webp", picture((64, 48), "WEBP")), "does not support image/webp"),
    (IPHONE, part("image/jpeg", picture((64, 48), "PNG")), "declared as image/jpeg, but is image/png"),
    (IPHONE, part("image/jpeg", b"\xff\xd8 not a picture"), "cannot be decoded"),
]


@pytest.mark.parametrize(("handset", "received"), ACCEPTED)
def test_content_within_the_limits_is_accepted(handset: Handset, received: Part) -> None:
    assert rejection_reason(handset, (received,)) is None


@pytest.mark.parametrize(("handset", "received", "reason"), REJECTED)
def test_content_beyond_the_limits_is_rejected_with_the_reason(handset: Handset, received: Part, reason: str) -> None:
    assert reason in (rejection_reason(handset, (received,)) or "")


def test_message_size_includes_all_parts() -> None:
    half = part("audio/amr", bytes(16 * 1024))
    assert rejection_reason(T610, (half,)) is None
    assert "message of 32768 bytes" in (rejection_reason(T610, (half, half)) or "")


async def test_rejected_message_is_accepted_by_the_mmsc_and_reported() -> None:
    request = sample("picture").replacing(b"Content-Type: image/jpeg", b"Content-Type: image/png")
    async with network() as net:
        await net.submit(request.to("14044790400"))
        report = await net.vasp.next_report()
        assert report["MMStatus"] == "Rejected"
        assert report.handset == T610.identity
        assert (await net.last_submit())["rejected"] == "picture.jpg: the handset does not support image/png"
