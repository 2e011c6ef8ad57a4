"""From the bytes of a request to one canonical tree, whatever its dialect."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings
from lxml import etree
from rest_framework.parsers import BaseParser

from mms.api.dialects import SINCH, Dialect
from mms.api.errors import Refusal

# Deeper than any request nests; libxml2 alone would allow 256.
DEPTH_MAX = 10


class Repeated(Exception):
    """An element that may stand once stands more often."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Node:
    """One element: its canonical name, its text without white space around it, and what it contains."""

    name: str
    text: str = ""
    children: tuple["Node", ...] = ()

    def all(self, name: str) -> list["Node"]:
        return [child for child in self.children if child.name == name]

    def one(self, name: str) -> "Node | None":
        """The element of that name, or None. Raises Repeated where it stands more than once."""
        found = self.all(name)
        if len(found) > 1:
            raise Repeated(name)
        return found[0] if found else None

    def value(self, name: str) -> str:
        """The text of the element of that name, "" where it is missing. Raises Repeated."""
        found = self.one(name)
        return found.text if found else ""


class XmlParser(BaseParser):
    """Reads XML, whatever the content type says: real clients post it as a form, or as nothing at all."""

    media_type = "*/*"

    def parse(  # type: ignore[override]  # DRF takes any object, its stubs only mappings
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Node:
        """The request as a tree. Raises Refusal: E100 where there is no request, E108 where it is not well-formed."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise Refusal("E100", f"The request is larger than {limit} bytes")
        return read(body)


def read(body: bytes, dialect: Dialect = SINCH) -> Node:
    """The request in these bytes. Raises Refusal."""
    if not body.strip():
        raise Refusal("E100", "There is no XML request in the body")
    root = _parsed(body)
    if root.tag != dialect.request:
        raise Refusal("E100", f"The root element must be {dialect.request}")
    return _node(root, dialect.canonical, depth=1)


def _parsed(body: bytes) -> etree._Element:
    """The root element; no entity is expanded, no DTD loaded, nothing fetched."""
    trimmed = body.removeprefix(codecs.BOM_UTF8).lstrip()
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(trimmed, parser)
    except etree.XMLSyntaxError as problem:
        line, column = problem.position
        line += body[: len(body) - len(trimmed)].count(b"\n")
        raise Refusal("E108", f"Not well-formed at line {line}, column {column}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise Refusal("E108", "A document type declaration is not allowed")
    return root


def _node(element: etree._Element, names: Mapping[str, str], depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise Refusal("E108", f"Elements are nested deeper than {DEPTH_MAX}")
    name = names.get(_local_name(element), _local_name(element))
    # The names in data are the customer's own.
    inner = {} if name == "data" else names
    children = tuple(_node(child, inner, depth + 1) for child in element)
    return Node(name, (element.text or "").strip(), children)


def _local_name(element: etree._Element) -> str:
    return etree.QName(element).localname
