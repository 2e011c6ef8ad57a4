"""Parsers of POST bodies.

They ignore the content type: real clients post XML raw under the type of a form, in a form field, or with no type.
"""

import codecs
from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any
from urllib.parse import parse_qsl

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from rest_framework.parsers import BaseParser

from mms.api import parse_json, parse_xml
from mms.api.errors import Refusal
from mms.api.request_tree import Node

FIELD = "xml"
FIELDS_MAX = 100


class XmlParser(BaseParser):
    """Parses XML in either dialect, from the body itself or from a form field."""

    media_type = "*/*"

    def parse(  # type: ignore[override]  # DRF takes any object, its stubs only mappings
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Node:
        """Return the request tree. Raises Refusal: E100 for an empty or too large body, E108 for bad syntax."""
        body = _body(stream)
        return parse_xml.parse(body if _is_xml(body) else _field(body, _request(parser_context)) or body)


class JsonParser(BaseParser):
    """Parses JSON; the API key is in the header x-api-key."""

    media_type = "*/*"

    def parse(  # type: ignore[override]  # as above
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Node:
        """Return the request tree. Raises Refusal: E100 for an empty or too large body, E108 for bad syntax."""
        return parse_json.parse(_body(stream), _request(parser_context).headers.get("x-api-key", ""))


def _request(context: Mapping[str, Any] | None) -> HttpRequest:
    request: HttpRequest = (context or {})["request"]
    return request


def _body(stream: IO[bytes]) -> bytes:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise Refusal("E100", f"The request is larger than {limit} bytes")
    if not body.strip():
        raise Refusal("E100", "The request body is empty")
    return body


def _is_xml(body: bytes) -> bool:
    return body.removeprefix(codecs.BOM_UTF8).lstrip().startswith((b"<", *parse_xml.UTF_16))


def _field(body: bytes, request: HttpRequest) -> bytes:
    """Return the bytes of the form field with the XML, whose declaration names their encoding; b"" if missing."""
    multipart = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    fields = _multipart(body, request) if multipart else _urlencoded(body)
    return next((value for name, value in fields if name.lower() == FIELD), b"")


# Both decode and encode as Latin-1, which preserves every byte.


def _urlencoded(body: bytes) -> list[tuple[str, bytes]]:
    try:
        pairs = parse_qsl(body.decode("latin-1"), encoding="latin-1", max_num_fields=FIELDS_MAX)
    except ValueError:
        return []
    return [(name, value.encode("latin-1")) for name, value in pairs]


def _multipart(body: bytes, request: HttpRequest) -> list[tuple[str, bytes]]:
    headers = {"CONTENT_TYPE": request.headers["content-type"], "CONTENT_LENGTH": len(body)}
    try:
        fields = MultiPartParser(headers, BytesIO(body), [], "latin-1").parse()[0]
    except (MultiPartParserError, SuspiciousOperation):
        return []
    return [(str(name), str(value).encode("latin-1")) for name, values in fields.lists() for value in values]
