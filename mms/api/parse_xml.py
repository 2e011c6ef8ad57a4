"""An XML request in either dialect, as a tree: the root element tells which one it is."""

import codecs
import re
from collections.abc import Collection
from typing import Final

from lxml import etree

from mms.api.dialects import XML_DIALECTS, Dialect
from mms.api.errors import Refusal
from mms.api.request_tree import DEPTH_MAX, NODES_MAX, Node

# lxml needs the square of their number to list the attributes of an element.
ATTRIBUTES_MAX = 100
FIRST_TAG = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")
COUNT = etree.XPath("count(//*)")

ESCAPED = "in a text, & is written &amp; and < is written &lt;"
# What usually is wrong, by the name of libxml2's error (etree.ErrorTypes).
REASONS: Final = {
    "ERR_DOCUMENT_EMPTY": "XML begins with <; post it raw, or as the form field xml",
    "ERR_DOCUMENT_END": "there is more after the end of the root element",
    "ERR_ENTITYREF_SEMICOL_MISSING": ESCAPED,
    "ERR_INVALID_CHAR": "no XML can hold this character",
    "ERR_INVALID_ENCODING": "its bytes are not UTF-8, or not of the encoding that it declares",
    "ERR_NAME_REQUIRED": ESCAPED,
    "ERR_TAG_NAME_MISMATCH": "this end tag has another name than its start tag",
    "ERR_TAG_NOT_FINISHED": "it is cut off",
    "ERR_UNDECLARED_ENTITY": "XML has no such entity; write the character itself",
    "ERR_UNSUPPORTED_ENCODING": "its encoding is not known",
}
REASON_OF: Final[dict[int, str]] = {getattr(etree.ErrorTypes, name): reason for name, reason in REASONS.items()}


def parse(body: bytes) -> Node:
    """The request in these bytes.

    Raises Refusal: E108 where it is not well-formed, E100 where it is no request; in the dialect of its first tag.
    """
    try:
        root = _parsed(body.removeprefix(codecs.BOM_UTF8))
        dialect = _named(_local_name(root))
        if dialect is None:
            raise Refusal("E100", "The root element must be request or REQUEST")
        return _node(root, dialect.request_root, dialect, dialect.known_names, depth=1)
    except Refusal as refusal:
        first = FIRST_TAG.search(body)
        refusal.dialect = _named(first[1].decode()) if first else None
        raise


def _named(root: str) -> Dialect | None:
    return next((dialect for dialect in XML_DIALECTS if dialect.request_root == root), None)


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
        raise Refusal("E108", _location(problem, before=body[: len(body) - len(trimmed)])) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise Refusal("E108", "A document type declaration is not allowed")
    if len(body) > NODES_MAX and float(COUNT(root)) > NODES_MAX:  # type: ignore[arg-type]  # a number, as it says
        raise Refusal("E108", f"There are more than {NODES_MAX} elements")
    return root


def _location(problem: etree.XMLSyntaxError, before: bytes) -> str:
    """Where the document breaks off, in the customer's own lines, and why; `before` is white space that we dropped."""
    line, column = problem.position
    if line == 1:
        column += len(before.rpartition(b"\n")[2])
    line += before.count(b"\n")
    where = f"Not well-formed at line {line}, column {column}"
    reason = REASON_OF.get(problem.code)  # type: ignore[attr-defined]  # stubs lack it
    return f"{where}: {reason}" if reason else where


def _node(element: etree._Element, wire: str, dialect: Dialect, known: Collection[str], depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise Refusal("E108", f"Elements are nested deeper than {DEPTH_MAX}")
    children = _attributes(element, dialect) if wire == dialect.parameters["slide"] else []
    if len(element):
        named = [(_local_name(child), child) for child in element]
        # The names in data are the customer's own.
        inside = {name for name, _ in named} if wire == dialect.parameters["data"] else known
        children += [_node(child, name, dialect, inside, depth + 1) for name, child in named if name in inside]
    return Node(dialect, wire, (element.text or "").strip(), tuple(children), is_text_only=not len(element))


def _attributes(element: etree._Element, dialect: Dialect) -> list[Node]:
    """The duration of a slide may be an attribute, in either case."""
    if len(element.attrib) > ATTRIBUTES_MAX:
        raise Refusal("E108", f"{_local_name(element)} has more than {ATTRIBUTES_MAX} attributes")
    name = dialect.parameters["duration"]
    return [
        Node(dialect, name, str(text).strip())
        for key, text in element.attrib.items()
        if str(key).lower() == name.lower()
    ]


def _local_name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]
