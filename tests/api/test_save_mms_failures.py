"""The exact failures of saveMMS."""

from collections.abc import Callable

import pytest
from PIL import Image

from mms.models import Medium, Template
from tests.adaptation.pictures import encode_picture
from tests.api.documents import SAVE, Elements, failure, file, image, request
from tests.scripted import Response, ScriptedServer, serving
from tests.wire import photograph

pytestmark = pytest.mark.usefixtures("public_loopback")

CallApi = Callable[[bytes], bytes]

LONG = "x" * 5001
IMAGE = image("{server}/a.jpg")
HELLO = "<message-text>Hello</message-text>"

# Change to a valid saveMMS -> answer; {server} is the URL of a web server.
NO_TAG = "is not a merge tag; write {{name}} or {{name|default}}"
SAVE_FAILURES: list[tuple[Elements, bytes]] = [
    ({"name": None}, failure("E311", "name must have 1 to 200 characters")),
    ({"name": "x" * 201}, failure("E311", "name must have 1 to 200 characters")),
    ({"name": ["a", "b"]}, failure("E311", "name is given more than once")),
    ({"message-subject": None}, failure("E314", "message-subject is missing")),
    ({"message-subject": ["a", "b"]}, failure("E314", "message-subject is given more than once")),
    (
        {"message-subject": "x" * 60 + "{{name|" + "y" * 21 + "}}"},
        failure("E314", "message-subject: the subject has 81 characters; at most 80 are allowed"),
    ),
    (
        {"message-subject": "{{name}}" * 63},
        failure(
            "E314", "message-subject: with its merge tags, the subject has 504 characters; at most 500 are allowed"
        ),
    ),
    (
        {"message-subject": "x" * 81},
        failure("E314", "message-subject: the subject has 81 characters; at most 80 are allowed"),
    ),
    ({"message-subject": "Dear {{}}"}, failure("E100", f"message-subject: {{{{}}}} {NO_TAG}")),
    ({"fallback-sms-text": "{{a"}, failure("E100", f"fallback-sms-text: {{{{a {NO_TAG}")),
    ({"slide": [HELLO, "<message-text>{{a|b}} {{c}</message-text>"]}, failure("E100", f"slide 2: {{{{c}} {NO_TAG}")),
    ({"slide": None}, failure("E312", "There are no slides; 1 to 8 are required")),
    ({"slide": [HELLO] * 9}, failure("E225", "There are 9 slides; at most 8 are allowed")),
    ({"slide": [HELLO, ""]}, failure("E313", "slide 2 is empty; it needs a text or a medium")),
    ({"slide": [HELLO, "<duration>5</duration>"]}, failure("E313", "slide 2 is empty; it needs a text or a medium")),
    ({"slide": HELLO * 2}, failure("E100", "slide 1: message-text is given more than once")),
    ({"slide": IMAGE * 2}, failure("E100", "slide 1: image is given more than once")),
    (
        {"slide": "<message-text>a <b>b</b></message-text>"},
        failure("E100", "slide 1: message-text must contain only text; write &lt; as &amp;lt;"),
    ),
    (
        {"slide": [HELLO, f"<message-text>{LONG}</message-text>"]},
        failure("E334", "slide 2: the text has 5001 characters; at most 5000 are allowed"),
    ),
    *(
        (
            {"slide": f"{HELLO}<duration>{duration}</duration>"},
            failure("E230", "slide 1: duration must be a whole number of seconds from 1 to 60"),
        )
        for duration in ("0", "61", "-1", "2.5", "five", "000199999999", "9" * 5000)
    ),
    ({"slide": "<image/>"}, failure("E351", "slide 1: the image requires a url of 1 to 2000 characters")),
    (
        {"slide": image("{server}/" + "x" * 2000)},
        failure("E351", "slide 1: the image requires a url of 1 to 2000 characters"),
    ),
]

NO_PICTURE = "slide 1: the file is not a JPEG, PNG, GIF, WebP, HEIC, AVIF or BMP picture"
# Web server's response for the image of slide 1 -> answer.
IMAGE_FAILURES: list[tuple[Response, bytes]] = [
    (file(photograph()[:-500]), failure("E341", "slide 1: the picture is damaged or incomplete")),
    (file(b"\x89PNG\r\n\x1a\n and no more"), failure("E341", "slide 1: the picture is damaged or incomplete")),
    (file(b"", "image/jpeg"), failure("E629", NO_PICTURE)),
    (file(b"Hello", "text/plain"), failure("E629", NO_PICTURE)),
    (file(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), failure("E629", NO_PICTURE)),
    (file(encode_picture(Image.new("RGB", (8, 8)), "TIFF"), "image/tiff"), failure("E629", NO_PICTURE)),
    (
        file(content_type="video/mp4"),
        failure("E629", "slide 1: the file is image/jpeg, but its server declares video/mp4; correct the Content-Type"),
    ),
    (
        file(content_type="Text/HTML; charset=utf-8"),
        failure("E629", "slide 1: the file is image/jpeg, but its server declares text/html; correct the Content-Type"),
    ),
    (
        file(b"\xff\xd8" + b"x" * 5_000_000),
        failure("E331", "slide 1: the image is too large: it is larger than 5000000 bytes"),
    ),
    *(
        (
            file(status=status),
            failure("E351", f"slide 1: the image could not be fetched: its server answered HTTP {status}"),
        )
        for status in (201, 206, 403, 404, 500)
    ),
]


@pytest.mark.parametrize(("change", "expected"), SAVE_FAILURES)
def test_invalid_savemms_gets_the_exact_failure_before_any_fetch(
    call_api: CallApi, customer: ScriptedServer, change: Elements, expected: bytes
) -> None:
    body = request({**SAVE, **change}).replace(b"{server}", customer.url.encode())
    assert call_api(body) == expected
    assert (Template.objects.count(), customer.received) == (1, [])


@pytest.mark.parametrize(("served", "expected"), IMAGE_FAILURES)
def test_unusable_image_gets_the_exact_failure(call_api: CallApi, served: Response, expected: bytes) -> None:
    with serving(served) as server:
        assert call_api(request({**SAVE, "slide": image(f"{server.url}/a.jpg")})) == expected
    assert (Template.objects.count(), Medium.objects.count()) == (1, 1)


def test_failure_names_the_slide(call_api: CallApi) -> None:
    with serving(file()) as server:
        server.answer_next(file(), Response(status=404))
        slides = [HELLO, image(f"{server.url}/a.jpg"), image(f"{server.url}/b.jpg")]
        assert call_api(request({**SAVE, "slide": slides})) == failure(
            "E351", "slide 3: the image could not be fetched: its server answered HTTP 404"
        )
