"""MIME bombs at the MM7 endpoint."""

import base64
import time
from types import SimpleNamespace

import pytest
from django.test import Client

USER = {"Authorization": "Basic " + base64.b64encode(b"mmsc:report-secret").decode()}
SIZE = 2_000_000
PART = b"--b\r\nContent-Type: multipart/related; boundary=c%d\r\n\r\n"
BOMBS: dict[str, tuple[str, bytes]] = {
    "thousands of parts": ("boundary=b", b"--b\r\n\r\nx\r\n" * (SIZE // 10)),
    "parts in parts": ("boundary=b", b"".join(PART % number for number in range(SIZE // 60))),
    "a delimiter that is everywhere": ("boundary=-", b"-" * SIZE),
    "white space after the delimiter": ("boundary=b", b"--b" + b" " * SIZE),
    "one long header": ("boundary=b", b"--b\r\nA: " + b"a\r\n " * (SIZE // 5)),
    "base64 that is none": ("boundary=b", b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"=" * SIZE),
    "quoted-printable": (
        "boundary=b", b"--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=3C" * (SIZE // 4)
    ),
    "no boundary": ("", b"--" + b"x" * SIZE),
    "parameters": (";" * 5000 + " " * 5000 + "start" * 1000, b"--b\r\n\r\n<a/>\r\n--b--"),
    "attributes": ("boundary=b", b"<Envelope><Body><DeliveryReportReq><MessageID>1</MessageID><UACapabilities"
        + b"".join(b' a%d="1"' % number for number in range(6000)) + b"/>" + b"</DeliveryReportReq></Body></Envelope>"),
}  # fmt: skip


@pytest.mark.parametrize(("parameters", "body"), BOMBS.values(), ids=BOMBS)
def test_mime_bomb_is_refused_cheaply(records: SimpleNamespace, parameters: str, body: bytes) -> None:
    began = time.process_time()
    reply = Client().post("/mm7/att", body, content_type=f"multipart/related; {parameters}", headers=USER)
    assert time.process_time() - began < 1.0
    assert (reply.status_code, b"<StatusCode>2007</StatusCode>" in reply.content) == (400, True)


def test_oversized_body_is_refused(records: SimpleNamespace) -> None:
    reply = Client().post("/mm7/att", b"x" * 2_200_000, content_type="text/xml", headers=USER)
    assert (reply.status_code, reply.content) == (413, b"the request is too large\n")
