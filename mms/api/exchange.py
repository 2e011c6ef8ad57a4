"""One customer request and its response: parsed once, answered once, logged on one line."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from types import MappingProxyType
from typing import Final

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from mms.api import parameters, parse_query
from mms.api.answers import Answer, Fields, failure
from mms.api.authorization import Call
from mms.api.body_parsers import JsonParser, XmlParser
from mms.api.dialects import Dialect
from mms.api.errors import Refusal
from mms.api.renderers import JsonRenderer, XmlRenderer
from mms.api.request_tree import Node
from mms.runtime import client_address

log = structlog.get_logger()

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
NO_BATCH: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Protocol:
    """The parser, renderer and methods of one URL.

    Parsers and renderers are those of Django REST framework. Its views are not used: their content negotiation costs
    as much as parsing and checking a request, and real clients send wrong headers.
    """

    methods: Sequence[str]
    dialect: Dialect  # answers requests whose own dialect cannot be determined
    parser: XmlParser | JsonParser
    renderer: XmlRenderer | JsonRenderer
    usage: str  # the error message for other methods
    answers_plain: bool = False  # as text/plain, except to accounts with skycore_text_xml


class Exchange:
    """A request in a protocol, and its response. Only one thread at a time may use it."""

    def __init__(self, request: HttpRequest, protocol: Protocol) -> None:
        self.request, self.protocol = request, protocol
        self._began = time.perf_counter()
        self._node: Node | None = None
        self._call: Call | None = None

    @cached_property
    def body(self) -> bytes:
        """The raw request; a request over the size limit is cut one byte past the limit."""
        if self.request.method == "GET":
            return self._query.encode(errors="replace")
        return self.request.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)

    @property
    def idempotency_key(self) -> str:
        """The header Idempotency-Key, or "" if it is missing."""
        return self.request.headers.get(IDEMPOTENCY_HEADER, "")

    def call(self) -> Call:
        """Parse the request on the first use, and return its call. Raises Refusal."""
        if self._call is None:
            self._node = node = self._parse()
            action = parameters.text_of(node, "action")
            if not action:
                raise Refusal("E100", f"{node.name_of('action')} is missing")
            self._call = Call(node, action, client_address.of_request(self.request))
        return self._call

    def succeed(self, answer: Fields, batch: Mapping[str, float] = NO_BATCH) -> HttpResponse:
        """Return a response with these fields; `batch` adds fields to the log line."""
        return self._respond(Answer(self._dialect, answer), batch=batch)

    def refuse(self, refusal: Refusal) -> HttpResponse:
        """Return a Failure with HTTP status 200, as for every customer error."""
        return self._respond(failure(refusal.dialect or self._dialect, self._to, refusal.code, refusal.info))

    def refuse_method(self) -> HttpResponse:
        """Return a Failure with HTTP status 405 and the usage of the URL."""
        response = self._respond(failure(self._dialect, "", "E100", self.protocol.usage), 405)
        response.headers["Allow"] = ", ".join(self.protocol.methods)
        return response

    def fail(self, problem: Exception) -> HttpResponse:
        """Log the exception under a new reference, and return E503 with that reference."""
        reference = uuid.uuid4().hex[:12]
        log.error("request failed", reference=reference, exc_info=problem)
        return self._respond(failure(self._dialect, self._to, "E503", f"Internal error, reference {reference}"), 500)

    def _parse(self) -> Node:
        if self.request.method == "GET":
            return parse_query.parse(self._query)
        return self.protocol.parser.parse(BytesIO(self.body), parser_context={"request": self.request})

    @property
    def _query(self) -> str:
        return str(self.request.META.get("QUERY_STRING", ""))

    @property
    def _dialect(self) -> Dialect:
        return self._node.dialect if self._node else self.protocol.dialect

    @property
    def _to(self) -> str:
        """The recipient of the request, or "" if it could not be parsed."""
        recipients = self._node.all("to") if self._node else []
        return recipients[0].text[:50] if recipients else ""

    @property
    def _media_type(self) -> str:
        """Published Skycore clients parse what calls itself text/xml a second time, and fail."""
        key = self._call.key if self._call else None
        plain = self.protocol.answers_plain and not (key and key.account.skycore_text_xml)
        return "text/plain" if plain else self.protocol.renderer.media_type

    def _respond(self, answer: Answer, status: int = 200, batch: Mapping[str, float] = NO_BATCH) -> HttpResponse:
        renderer = self.protocol.renderer
        content = renderer.render(answer)
        headers = {
            "Content-Type": f"{self._media_type}; charset={renderer.charset}",
            "Content-Length": str(len(content)),
            "X-Content-Type-Options": "nosniff",  # an answer quotes the request, which may contain HTML
        }
        response = HttpResponse(content, status=status, headers=headers)
        self._log(answer, status, batch)
        return response

    def _log(self, answer: Answer, status: int, batch: Mapping[str, float]) -> None:
        call = self._call
        log.info(
            "request",
            action=call.known_name if call else "",
            account=call.account.pk if call and call.account else None,
            code=answer.fields.get("error_code", ""),
            tracking_id=answer.fields.get("tracking_id", ""),
            status=status,
            ms=round((time.perf_counter() - self._began) * 1000, 2),
            **batch,
        )
