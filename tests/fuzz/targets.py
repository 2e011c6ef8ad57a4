"""The fuzz targets: the three parsers of external input, called as in production, up to the first database query.

A target raises any unexpected error of the parser, and AssertionError if a parsed value cannot be stored: a character
that PostgreSQL or XML cannot represent, or a text longer than its column.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any, Final
from wsgiref.util import setup_testing_defaults

from django.core.handlers.wsgi import WSGIRequest
from lxml import etree

from config.wsgi import without_encoded_parameters
from handsets.cache import IDENTITY_MAX, parse_identity
from mms.api import fallback_sms, idempotency, parameters, parse_query, save_mms, send_parameters, slides, text_areas
from mms.api.answers import failure
from mms.api.body_parsers import JsonParser, XmlParser
from mms.api.dialects import SINCH, SINCH_JSON, SKYCORE, Dialect
from mms.api.errors import Refusal
from mms.api.renderers import JsonRenderer, XmlRenderer
from mms.api.request_tree import Node
from mms.mm7.answers import read_answer
from mms.mm7.requests import (
    MAX_TEXT,
    Request,
    UnsupportedOperation,
    read_request,
    write_fault,
    write_refusal,
    write_response,
)
from mms.mm7.soap import MAX_ID, Malformed
from mms.models import Template
from mms.protocol.submit import SubmitResult
from mms.runtime.xml import NOT_XML
from tests.fuzz import corpus
from tests.fuzz.mutation import Corpus, FuzzInput

Reader = Callable[[Node], object]

SLIDES = 2  # slides of the template that a sendSavedMMS refers to


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under test. `read` raises only for a crash; otherwise it returns the outcome."""

    name: str
    corpus: Corpus
    read: Callable[[FuzzInput], str]


def _texts(node: Node) -> None:
    """Run the text handling of sendSavedMMS and saveMMS that precedes database queries."""
    data = send_parameters.merge_data(node)
    texts = send_parameters.custom_texts(node, SLIDES)
    with suppress(Refusal):
        wanted = slides.parse(node)
        illustrated = {slide.position for slide in wanted if slide.media}
        send_parameters.check_texts(node, {slide.position: slide.text for slide in wanted}, illustrated, "", data)
        text_areas.check_filled({slide.position: slide.areas for slide in wanted}, data, node)
    subject = send_parameters.filled_subject(node, Template(subject="{{name|you}}"), data)
    _check_storable([subject, *texts.values(), *data, *data.values()])


# Each runs regardless of the others, so that one error does not hide another.
READERS: Final[Sequence[Reader]] = (
    _texts,
    parameters.recipient,
    parameters.from_mask,
    parameters.ddm_timeout,
    save_mms.parse_name,
    slides.parse,
    idempotency.fingerprint,
    lambda node: _check_storable([str(value) for value in asdict(fallback_sms.parse(node, Template())).values()]),
    lambda node: parameters.check_subject(parameters.text_of(node, "subject"), "subject"),
    lambda node: parameters.check_subject(parameters.text_of(node, "ddm_subject"), "ddm_subject"),
    lambda node: parameters.long_text(node, "ddm_text"),
    lambda node: parameters.short_text(node, "device", IDENTITY_MAX),
    lambda node: parameters.short_text(node, "client_reference", 200),
    lambda node: parameters.parse_integer(parameters.text_of(node, "mms_id"), 1, parameters.ID_MAX),
    lambda node: parameters.parse_integer(parameters.text_of(node, "operator_id"), 0, parameters.OPERATOR_ID_MAX),
    lambda node: parameters.flag(node, "ddm_force"),
    lambda node: parameters.flag(node, "dry_run"),
    lambda node: parameters.future_timestamp(node, "expires_at"),
    lambda node: parameters.timestamp(node, "start_date"),
    lambda node: parameters.timestamp(node, "since"),
)


def read_customer(fuzz_input: FuzzInput) -> str:
    """Parse a customer's request and each of its parameters; render every refusal."""
    own, parse = PARSERS[fuzz_input.parser]
    try:
        node = parse(fuzz_input)
    except Refusal as refusal:
        _check_answer(own, refusal)
        return "refused"
    _check_storable(_all_texts(node))
    for reader in READERS:
        try:
            reader(node)
        except Refusal as refusal:
            _check_answer(node.dialect, refusal)
    return "read"


def _body(parser: XmlParser | JsonParser, fuzz_input: FuzzInput) -> Node:
    environ: dict[str, Any] = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": fuzz_input.content_type}
    setup_testing_defaults(environ)
    request = WSGIRequest(without_encoded_parameters(environ))
    return parser.parse(BytesIO(fuzz_input.body), fuzz_input.content_type, {"request": request})


PARSERS: Final[dict[str, tuple[Dialect, Callable[[FuzzInput], Node]]]] = {
    "xml": (SINCH, lambda fuzz_input: _body(XmlParser(), fuzz_input)),
    "json": (SINCH_JSON, lambda fuzz_input: _body(JsonParser(), fuzz_input)),
    "pairs": (SKYCORE, lambda fuzz_input: parse_query.parse(fuzz_input.body.decode("latin-1"))),
}


def _check_answer(dialect: Dialect, refusal: Refusal) -> None:
    said = failure(dialect, "14044790000", refusal.code, refusal.info)
    if dialect is SINCH_JSON:
        json.loads(JsonRenderer().render(said))
    else:
        etree.fromstring(XmlRenderer().render(said))


def _all_texts(node: Node) -> Iterator[str]:
    yield from (node.name, node.text)
    for child in node.children:
        yield from _all_texts(child)


def _check_storable(texts: "Iterator[str] | Sequence[str]", longest: int | None = None) -> None:
    """Assert that each text can be stored and forwarded unchanged."""
    for text in texts:
        forbidden = NOT_XML.search(text)
        assert forbidden is None, f"holds U+{ord(forbidden[0]):04X}, which cannot be stored"
        assert longest is None or len(text) <= longest, f"has {len(text)} characters, more than {longest}"


def read_mm7(fuzz_input: FuzzInput) -> str:
    """Parse an MMSC's request and write the response, or parse its answer to a submit."""
    if fuzz_input.parser == "answer":
        said = read_answer(200, fuzz_input.content_type, fuzz_input.body)
        assert isinstance(said, SubmitResult)
        _check_storable([said.text], MAX_TEXT)
        _check_storable([said.message_id or ""])
        return f"answer: {said.outcome}"
    try:
        request = read_request(fuzz_input.content_type, fuzz_input.body)
    except Malformed as refusal:
        return _check_xml(write_fault("", 2007, str(refusal)), "refused")
    except UnsupportedOperation as refusal:
        fault = write_fault(refusal.transaction_id, 4003, str(refusal), refusal.namespace)
        return _check_xml(write_refusal(refusal) or fault, "not supported")
    _check_request(request)
    return _check_xml(write_response(request), "read")


def _check_xml(reply: bytes, outcome: str) -> str:
    etree.fromstring(reply)
    return outcome


def _check_request(request: Request) -> None:
    values: dict[str, Any] = asdict(request)
    _check_storable([value for value in values.values() if isinstance(value, str)], None)
    _check_storable([request.transaction_id, request.message_id or ""], MAX_ID)
    _check_storable([*request.recipients, *request.senders], 15)
    _check_storable([values.get("raw_status", ""), values.get("status_text", ""), values.get("subject", "")], MAX_TEXT)


REPORT: Final = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><DeliveryReportReq>'
    b"<MessageID>M1</MessageID><Recipient><Number>+14044790000</Number></Recipient><MMStatus>Retrieved</MMStatus>"
    b"%b</DeliveryReportReq></e:Body></e:Envelope>"
)


def read_handset(fuzz_input: FuzzInput) -> str:
    """Parse the handset identity of a delivery report, as the handset cache would store it."""
    try:
        request = read_request(fuzz_input.content_type, REPORT.replace(b"%b", fuzz_input.body))
    except (Malformed, UnsupportedOperation):
        return "refused"
    identity = parse_identity(getattr(request, "handset", None))
    if identity is None:
        return "no identity"
    _check_storable([identity], IDENTITY_MAX)
    assert identity == identity.strip()
    return "identity"


TARGETS: Final = (
    Target("customer requests", corpus.CUSTOMERS, read_customer),
    Target("MM7 requests and answers", corpus.MM7, read_mm7),
    Target("handset identities", corpus.HANDSETS, read_handset),
)
