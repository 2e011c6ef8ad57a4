"""The three parsers of what others send, each driven as its door drives it, up to where the database would be asked.

A target raises what the parser should not have raised, and AssertionError where what it read could not be kept: a
character that PostgreSQL or XML cannot hold, a text that is longer than its column.
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
from mms.mm7.requests import MAX_TEXT, Request, UnsupportedOperation, read_request, write_fault, write_response
from mms.mm7.soap import MAX_ID, Malformed
from mms.models import Template
from mms.protocol.submit import SubmitResult
from mms.runtime.xml import NOT_XML
from tests.fuzz import corpus
from tests.fuzz.mutation import Corpus, Given

Reader = Callable[[Node], object]

SLIDES = 2  # of the content that a sendSavedMMS is taken to name


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under test. `read` raises for a crash alone; what it returns tells how the input ended."""

    name: str
    corpus: Corpus
    read: Callable[[Given], str]


def _texts(node: Node) -> None:
    """What sendSavedMMS and saveMMS fill and look at before they ask the database."""
    data = send_parameters.merge_data(node)
    texts = send_parameters.custom_texts(node, SLIDES)
    with suppress(Refusal):
        wanted = slides.parse(node)
        illustrated = {slide.position for slide in wanted if slide.media}
        send_parameters.check_texts(node, {slide.position: slide.text for slide in wanted}, illustrated, "", data)
        text_areas.check_filled({slide.position: slide.areas for slide in wanted}, data, node)
    subject = send_parameters.filled_subject(node, Template(subject="{{name|you}}"), data)
    _keep([subject, *texts.values(), *data, *data.values()])


# Each reads its parameters whatever the others are, so that a fault in one hides none in another.
READERS: Final[Sequence[Reader]] = (
    _texts,
    parameters.recipient,
    parameters.from_mask,
    parameters.ddm_timeout,
    save_mms.parse_name,
    slides.parse,
    idempotency.fingerprint,
    lambda node: _keep([str(value) for value in asdict(fallback_sms.parse(node, Template())).values()]),
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


def read_customer(given: Given) -> str:
    """A request of a customer, read, each of its parameters read, and every refusal answered."""
    own, parse = DOORS[given.door]
    try:
        node = parse(given)
    except Refusal as refusal:
        _check_answer(own, refusal)
        return "refused"
    _keep(_all_texts(node))
    for reader in READERS:
        try:
            reader(node)
        except Refusal as refusal:
            _check_answer(node.dialect, refusal)
    return "read"


def _body(parser: XmlParser | JsonParser, given: Given) -> Node:
    environ: dict[str, Any] = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": given.content_type}
    setup_testing_defaults(environ)
    request = WSGIRequest(without_encoded_parameters(environ))
    return parser.parse(BytesIO(given.body), given.content_type, {"request": request})


DOORS: Final[dict[str, tuple[Dialect, Callable[[Given], Node]]]] = {
    "xml": (SINCH, lambda given: _body(XmlParser(), given)),
    "json": (SINCH_JSON, lambda given: _body(JsonParser(), given)),
    "pairs": (SKYCORE, lambda given: parse_query.parse(given.body.decode("latin-1"))),
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


def _keep(texts: "Iterator[str] | Sequence[str]", longest: int | None = None) -> None:
    """Fails where a text could not be stored and sent on as it is."""
    for text in texts:
        strange = NOT_XML.search(text)
        assert strange is None, f"holds U+{ord(strange[0]):04X}, which cannot be stored"
        assert longest is None or len(text) <= longest, f"has {len(text)} characters, more than {longest}"


def read_mm7(given: Given) -> str:
    """A request of an MMSC, with what is answered to it; or its answer to one of ours."""
    if given.door == "answer":
        said = read_answer(200, given.content_type, given.body)
        assert isinstance(said, SubmitResult)
        _keep([said.text], MAX_TEXT)
        _keep([said.message_id or ""])
        return f"answer: {said.outcome}"
    try:
        request = read_request(given.content_type, given.body)
    except Malformed as refusal:
        return _faulted(write_fault("", 2007, str(refusal)), "refused")
    except UnsupportedOperation as refusal:
        return _faulted(write_fault(refusal.transaction_id, 4003, str(refusal), refusal.namespace), "not supported")
    _check_request(request)
    return _faulted(write_response(request), "read")


def _faulted(reply: bytes, ending: str) -> str:
    etree.fromstring(reply)
    return ending


def _check_request(request: Request) -> None:
    values: dict[str, Any] = asdict(request)
    _keep([value for value in values.values() if isinstance(value, str)], None)
    _keep([request.transaction_id, request.message_id or ""], MAX_ID)
    _keep([*request.recipients, *request.senders], 15)
    _keep([values.get("raw_status", ""), values.get("status_text", ""), values.get("subject", "")], MAX_TEXT)


REPORT: Final = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><DeliveryReportReq>'
    b"<MessageID>M1</MessageID><Recipient><Number>+14044790000</Number></Recipient><MMStatus>Retrieved</MMStatus>"
    b"%b</DeliveryReportReq></e:Body></e:Envelope>"
)


def read_handset(given: Given) -> str:
    """What a delivery report says of the handset, as far as the identity that the cache would keep."""
    try:
        request = read_request(given.content_type, REPORT.replace(b"%b", given.body))
    except (Malformed, UnsupportedOperation):
        return "refused"
    identity = parse_identity(getattr(request, "handset", None))
    if identity is None:
        return "says nothing"
    _keep([identity], IDENTITY_MAX)
    assert identity == identity.strip()
    return "named"


TARGETS: Final = (
    Target("customer requests", corpus.CUSTOMERS, read_customer),
    Target("MM7 requests and answers", corpus.MM7, read_mm7),
    Target("handset identities", corpus.HANDSETS, read_handset),
)
