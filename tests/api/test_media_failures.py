"""The exact failures for audio, video and objects."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from mms.models import Medium, Template
from tests.adaptation.clips import make_audio, make_video
from tests.api.dialect_requests import post_json
from tests.api.documents import NUMBER, SAVE, SEND, failure, file, request
from tests.scripted import Response, ScriptedServer, serving
from tests.wire import photograph

pytestmark = pytest.mark.usefixtures("public_loopback")

CallApi = Callable[[bytes], bytes]

HELLO = "<message-text>Hello</message-text>"


def medium(name: str) -> str:
    return f"<{name}><url>{{server}}/a</url></{name}>"


def slide_with(*names: str) -> str:
    return HELLO + "".join(map(medium, names))


# Media of slide 2 -> answer.
EXCLUSIVE_FAILURES: list[tuple[str, bytes]] = [
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
AUDIO, VIDEO = make_audio(), make_video()
VCARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\nEND:VCARD\r\n"
# Element, web server's response -> answer.
FILE_FAILURES: list[tuple[str, Response, bytes]] = [
    *(
        (
            name,
            Response(status=404),
            failure(code, f"slide 1: {words} could not be fetched: its server answered HTTP 404"),
        )
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
        failure(
            "E629", "slide 1: the audio is not a valid MP3, WAV, AMR, AAC, M4A, Ogg, FLAC, AIFF, WMA or Matroska file"
        ),
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
        failure("E629", "slide 1: the video is not a valid 3GP, MP4, MPEG, AVI, WMV, MOV, WebM, Matroska or FLV file"),
    ),
]
# Status of the template -> answer.
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


@pytest.mark.parametrize(("second", "expected"), EXCLUSIVE_FAILURES)
def test_exclusive_media_are_refused_before_any_fetch(
    call_api: CallApi, customer: ScriptedServer, second: str, expected: bytes
) -> None:
    body = request({**SAVE, "slide": [slide_with("image"), second]}).replace(b"{server}", customer.url.encode())
    assert call_api(body) == expected
    assert customer.received == []


@pytest.mark.parametrize(("name", "served", "expected"), FILE_FAILURES)
def test_unusable_file_gets_the_exact_failure(
    call_api: CallApi, records: SimpleNamespace, name: str, served: Response, expected: bytes
) -> None:
    limits = {f"{kind}_bytes_max": 1_000 for kind in ("audio", "video", "object")}
    type(records.account).objects.update(**limits)
    with serving(served) as server:
        assert call_api(request({**SAVE, "slide": medium(name).replace("{server}", server.url)})) == expected
    assert (Template.objects.count(), Medium.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("name", "data", "declared"),
    [("audio", VIDEO, "audio/mp4"), ("video", AUDIO, "video/mpeg"), ("image", AUDIO, "image/jpeg")],
)
def test_file_of_the_wrong_kind_gets_e629(call_api: CallApi, name: str, data: bytes, declared: str) -> None:
    with serving(file(data, declared)) as server:
        answer = call_api(request({**SAVE, "slide": medium(name).replace("{server}", server.url)}))
    assert b"<error-code>E629</error-code>" in answer
    assert Template.objects.count() == 1


def test_suggested_element_is_named_in_the_dialect(records: SimpleNamespace) -> None:
    with serving(file(VCARD, "audio/mpeg")) as server:
        slide = {"audio": {"url": f"{server.url}/a"}}
        answer = post_json({"action": "saveMMS", "name": "a", "message-subject": "a", "slide": slide})
    assert answer["error-info"] == "slide 1: the audio is text/x-vcard; send it as contact, or send another file"


@pytest.mark.parametrize(("status", "expected"), STATUS_FAILURES)
def test_template_being_encoded_or_failed_cannot_be_sent(
    call_api: CallApi, records: SimpleNamespace, status: str, expected: bytes
) -> None:
    Template.objects.update(status=status, problem="slide 1: the audio could not be encoded: why")
    assert call_api(request(SEND)) == expected
