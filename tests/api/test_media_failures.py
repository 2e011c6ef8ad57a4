"""What is refused of audio, video and objects, byte for byte: the slide is named, and what to change."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from mms.models import Medium, Template
from tests.adaptation.clips import film, sound
from tests.api.dialect_requests import post_json
from tests.api.documents import NUMBER, SAVE, SEND, failure, file, request
from tests.scripted import Say, Scripted, serving
from tests.wire import photograph

Post = Callable[[bytes], bytes]

HELLO = "<message-text>Hello</message-text>"


def medium(name: str) -> str:
    return f"<{name}><url>{{server}}/a</url></{name}>"


def slide_with(*names: str) -> str:
    return HELLO + "".join(map(medium, names))


# The media of slide 2 -> the answer.
TOGETHER_FAILURES: list[tuple[str, bytes]] = [
    (
        slide_with("vcard", "pdf"),
        failure("E223", "slide 2: vcard and pdf cannot be in the same slide; use two slides"),
    ),
    (
        slide_with("vcard", "vcard"),
        failure("E223", "slide 2: vcard and vcard cannot be in the same slide; use two slides"),
    ),
    (
        slide_with("image", "ical"),
        failure("E224", "slide 2: ical and image cannot be in the same slide; use two slides"),
    ),
    (
        slide_with("passbook", "video"),
        failure("E224", "slide 2: passbook and video cannot be in the same slide; use two slides"),
    ),
    (
        slide_with("video", "audio"),
        failure("E226", "slide 2: audio and video cannot be in the same slide; use two slides"),
    ),
    (
        slide_with("video", "image"),
        failure("E227", "slide 2: image and video cannot be in the same slide; use two slides"),
    ),
    (slide_with("audio", "audio"), failure("E100", "slide 2: audio is given more than once")),
    (
        slide_with("audio") + "<duration>61</duration>",
        failure("E230", "slide 2: duration must be a whole number of seconds from 1 to 60"),
    ),
    ("<pdf/>", failure("E357", "slide 2: the PDF requires a url of 1 to 2000 characters")),
]
AUDIO, VIDEO = sound(), film()
VCARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\nEND:VCARD\r\n"
# The element, what the web server says -> the answer.
FILE_FAILURES: list[tuple[str, Say, bytes]] = [
    *(
        (name, Say(status=404), failure(code, f"slide 1: {words} could not be fetched: its server answered HTTP 404"))
        for name, code, words in (
            ("audio", "E352", "the audio"),
            ("video", "E353", "the video"),
            ("vcard", "E355", "the vCard"),
            ("ical", "E356", "the iCalendar"),
            ("pdf", "E357", "the PDF"),
            ("passbook", "E358", "the pass"),
        )
    ),
    *(
        (
            name,
            file(b"x" * 1_001, "application/octet-stream"),
            failure(code, f"slide 1: {words} is too large: it is larger than 1000 bytes"),
        )
        for name, code, words in (
            ("audio", "E332", "the audio"),
            ("video", "E333", "the video"),
            ("vcard", "E335", "the vCard"),
            ("ical", "E336", "the iCalendar"),
            ("pdf", "E337", "the PDF"),
            ("passbook", "E338", "the pass"),
        )
    ),
    (
        "audio",
        file(b"Hello", "audio/mpeg"),
        failure("E629", "slide 1: the audio is not a valid MP3, WAV, AMR, AAC, M4A or Ogg file"),
    ),
    (
        "vcard",
        file(VCARD[:-5], "text/vcard"),
        failure("E629", "slide 1: the vCard is not a valid vCard file"),
    ),
    (
        "audio",
        file(VCARD, "audio/mpeg"),
        failure("E629", "slide 1: the audio is text/x-vcard; send it as vcard, or send another file"),
    ),
    (
        "vcard",
        file(VCARD, "audio/mpeg"),
        failure(
            "E629", "slide 1: the file is text/x-vcard, but its server declares audio/mpeg; correct the Content-Type"
        ),
    ),
    (
        "video",
        file(photograph(8, 8), "video/mp4"),
        failure("E629", "slide 1: the video is not a valid 3GP, MP4, MPEG, AVI, WMV, MOV or WebM file"),
    ),
]
# The status of the template that is to be sent -> the answer.
STATUS_FAILURES: list[tuple[str, bytes]] = [
    (
        "encoding",
        failure(
            "E626", "The audio or video of mms-id 35674 is still being encoded; wait for the postback N003", NUMBER
        ),
    ),
    (
        "failed",
        failure("E629", "mms-id 35674 cannot be sent: slide 1: the audio could not be encoded: why", NUMBER),
    ),
]


@pytest.mark.parametrize(("second", "expected"), TOGETHER_FAILURES)
def test_what_cannot_be_in_one_slide_is_refused_before_anything_is_fetched(
    answer: Post, customer: Scripted, second: str, expected: bytes
) -> None:
    body = request({**SAVE, "slide": [slide_with("image"), second]}).replace(b"{server}", customer.url.encode())
    assert answer(body) == expected
    assert customer.received == []


@pytest.mark.parametrize(("name", "said", "expected"), FILE_FAILURES)
def test_a_file_that_cannot_be_taken_is_answered_in_these_bytes(
    answer: Post, world: SimpleNamespace, name: str, said: Say, expected: bytes
) -> None:
    caps = {f"{kind}_bytes_max": 1_000 for kind in ("audio", "video", "object")}
    type(world.account).objects.update(**caps)
    with serving(said) as server:
        assert answer(request({**SAVE, "slide": medium(name).replace("{server}", server.url)})) == expected
    assert (Template.objects.count(), Medium.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("name", "data", "declared"),
    [("audio", VIDEO, "audio/mp4"), ("video", AUDIO, "video/mpeg"), ("image", AUDIO, "image/jpeg")],
)
def test_a_file_of_another_kind_than_its_element_is_e629(answer: Post, name: str, data: bytes, declared: str) -> None:
    with serving(file(data, declared)) as server:
        said = answer(request({**SAVE, "slide": medium(name).replace("{server}", server.url)}))
    assert b"<error-code>E629</error-code>" in said
    assert Template.objects.count() == 1


def test_the_element_to_send_a_file_as_is_named_in_the_customers_dialect(world: SimpleNamespace) -> None:
    with serving(file(VCARD, "audio/mpeg")) as server:
        slide = {"audio": {"url": f"{server.url}/a"}}
        said = post_json({"action": "saveMMS", "name": "a", "message-subject": "a", "slide": slide})
    assert said["error-info"] == "slide 1: the audio is text/x-vcard; send it as contact, or send another file"


@pytest.mark.parametrize(("status", "expected"), STATUS_FAILURES)
def test_a_template_that_is_locked_or_failed_cannot_be_sent(
    answer: Post, world: SimpleNamespace, status: str, expected: bytes
) -> None:
    Template.objects.update(status=status, problem="slide 1: the audio could not be encoded: why")
    assert answer(request(SEND)) == expected
