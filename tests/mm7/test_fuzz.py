"""Property tests: any input gives a value, Malformed or UnsupportedOperation."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mms.mm7.answers import read_answer
from mms.mm7.requests import UnsupportedOperation, read_request, write_fault, write_response
from mms.mm7.soap import Malformed
from mms.protocol.submit import SubmitResult

SAMPLES = [path.read_bytes() for path in sorted((Path(__file__).parent.parent / "samples" / "mm7").glob("*.*"))]
CONTENT_TYPES = st.one_of(
    st.sampled_from(["text/xml", "text/xml; charset=euc-kr", "multipart/related; boundary=a; start=b"]),
    st.text(),
)
SPLICES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from(
        [
            b"<",
            b">",
            b"&",
            b"</x>",
            b"<!DOCTYPE a>",
            b"<![CDATA[",
            b"\x00",
            b"\r\n--a\r\n",
            b"\xff\xfe",
            b"&#xD800;",
            b"&#0;",
        ]
    ),
)


@st.composite
def mutated_samples(draw: st.DrawFn) -> bytes:
    body = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = start + draw(st.integers(0, 40))
        body = body[:start] + draw(SPLICES) + body[end:]
    return body


BODIES = st.one_of(st.binary(max_size=300), mutated_samples())


@settings(max_examples=200, deadline=None)
@given(CONTENT_TYPES, BODIES)
def test_any_request_gets_a_response_or_a_fault(content_type: str, body: bytes) -> None:
    try:
        reply = write_response(read_request(content_type, body))
    except Malformed as refusal:
        reply = write_fault("", 2007, str(refusal))
    except UnsupportedOperation as refusal:
        reply = write_fault(refusal.transaction_id, 4003, str(refusal), refusal.namespace)
    assert reply.endswith(b"</env:Envelope>")


@settings(max_examples=200, deadline=None)
@given(st.integers(200, 599), CONTENT_TYPES, BODIES)
def test_any_answer_gives_a_submit_result(http_status: int, content_type: str, body: bytes) -> None:
    assert isinstance(read_answer(http_status, content_type, body), SubmitResult)
