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


class Unclear(Exception):
    """An element that gives no one value; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Node:
    """One element: its canonical name and that on the wire, its text without white space around it, and the
    elements in it that the dialect knows. `plain` tells that it holds text alone, not even unknown elements.
    """

    name: str
    wire: str
    text: str
    children: tuple["Node", ...]
    plain: bool

    def all(self, name: str) -> list["Node"]:
        return [child for child in self.children if child.name == name]

    def one(self, name: str) -> "Node | None":
        """The element of that name, or None. Raises Unclear where it stands more than once."""
        found = self.all(name)
        if len(found) > 1:
            raise Unclear(f"{found[0].wire} stands more than once")
        return found[0] if found else None

    def value(self, name: str) -> str:
        """The text of the element of that name, "" where it is missing. Raises Unclear."""
        found = self.one(name)
        return found.alone() if found else ""

    def alone(self) -> str:
        """Its text. Raises Unclear where there are elements among it: what they stand for would be lost."""
        if not self.plain:
            raise Unclear(f"{self.wire[:40]} must hold text alone, with < written as &lt;")
        return self.text


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
    root = _parsed(body.removeprefix(codecs.BOM_UTF8))
    if _local_name(root) != dialect.request:
        raise Refusal("E100", f"The root element must be {dialect.request}")
    return _node(root, dialect.canonical, depth=1)


def _parsed(body: bytes) -> etree._Element:
    """The root element; no entity is expanded, no DTD loaded, nothing fetched."""
    trimmed = body.lstrip()
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
        raise Refusal("E108", _where(problem, before=body[: len(body) - len(trimmed)])) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise Refusal("E108", "A document type declaration is not allowed")
    return root


def _where(problem: etree.XMLSyntaxError, before: bytes) -> str:
    """Where the document breaks off, in the customer's own lines; `before` is the white space that we dropped."""
    line, column = problem.position
    if line == 1:
        column += len(before.rpartition(b"\n")[2])
    line += before.count(b"\n")
    unknown = problem.code == etree.ErrorTypes.ERR_UNSUPPORTED_ENCODING  # type: ignore[attr-defined]  # stubs lack it
    reason = ": its encoding is not known" if unknown else ""
    return f"Not well-formed at line {line}, column {column}{reason}"


def _node(element: etree._Element, names: Mapping[str, str], depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise Refusal("E108", f"Elements are nested deeper than {DEPTH_MAX}")
    wire = _local_name(element)
    name = names.get(wire, wire)
    # The names in data are the customer's own.
    known = {_local_name(child): _local_name(child) for child in element} if name == "data" else names
    children = tuple(_node(child, known, depth + 1) for child in element if _local_name(child) in known)
    return Node(name, wire, (element.text or "").strip(), children, plain=len(element) == 0)


def _local_name(element: etree._Element) -> str:
    return etree.QName(element).localname
