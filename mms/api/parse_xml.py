"""Parses an XML request into a tree; the root element determines the dialect."""

import codecs
import re
from collections.abc import Collection
from typing import Final

from lxml import etree

from mms.api.dialects import XML_DIALECTS, Dialect
from mms.api.errors import Refusal
from mms.api.request_tree import DEPTH_MAX, NODES_MAX, Node

# lxml lists the attributes of an element in quadratic time.
ATTRIBUTES_MAX = 100
FIRST_TAG = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")
DECLARED = re.compile(rb"""(\A\s*<\?xml\b[^>]*?)(\sencoding\s*=\s*(?:"[^"<>]*"|'[^'<>]*'))""")
# UTF-16, by its byte order mark or by its first character.
UTF_16: Final = {
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    b"<\x00": "utf-16-le",
    b"\x00<": "utf-16-be",
}
COUNT = etree.XPath("count(//*)")

ESCAPED = "write & as &amp; and < as &lt; in text"
# The usual cause, by the name of libxml2's error (etree.ErrorTypes).
REASONS: Final = {
    "ERR_DOCUMENT_EMPTY": "XML starts with <; post it as the body or in the form field xml",
    "ERR_DOCUMENT_END": "there is content after the root element",
    "ERR_ENTITYREF_SEMICOL_MISSING": ESCAPED,
    "ERR_INVALID_CHAR": "this character is not allowed in XML",
    "ERR_INVALID_ENCODING": "the bytes do not match the declared encoding, or UTF-8 if none is declared",
    "ERR_NAME_REQUIRED": ESCAPED,
    "ERR_SPACE_REQUIRED": "white space is missing, or the bytes are not in the declared encoding",
    "ERR_TAG_NAME_MISMATCH": "the end tag does not match its start tag",
    "ERR_TAG_NOT_FINISHED": "the document is incomplete",
    "ERR_UNDECLARED_ENTITY": "the entity is unknown; write the character itself",
    "ERR_UNSUPPORTED_ENCODING": "the declared encoding is unknown",
}
REASON_OF: Final[dict[int, str]] = {getattr(etree.ErrorTypes, name): reason for name, reason in REASONS.items()}


def parse(body: bytes) -> Node:
    """Return the request in `body`.

    Raises Refusal, in the dialect of the first tag: E108 if it is not well-formed XML, E100 for another root element.
    """
    try:
        root = _parsed(_in_utf8(body))
        dialect = _dialect_of(_local_name(root))
        if dialect is None:
            raise Refusal("E100", "The root element must be request or REQUEST")
        return _node(root, dialect.request_root, dialect, dialect.known_names, depth=1)
    except Refusal as refusal:
        first = FIRST_TAG.search(body)
        refusal.dialect = _dialect_of(first[1].decode()) if first else None
        raise


def _dialect_of(root: str) -> Dialect | None:
    return next((dialect for dialect in XML_DIALECTS if dialect.request_root == root), None)


def _in_utf8(body: bytes) -> bytes:
    """Return a body whose first bytes name its encoding in UTF-8, without the encoding that it declares."""
    if body.startswith(codecs.BOM_UTF8):
        return _undeclared(body.removeprefix(codecs.BOM_UTF8))
    codec = next((codec for start, codec in UTF_16.items() if body.startswith(start)), None)
    try:
        return _undeclared(body.decode(codec).removeprefix("\ufeff").encode()) if codec else body
    except UnicodeError:
        return body


def _undeclared(body: bytes) -> bytes:
    """Return the body with spaces in place of its declared encoding, so that positions stay the same."""
    return DECLARED.sub(lambda found: found[1] + b" " * len(found[2]), body, count=1)


def _parsed(body: bytes) -> etree._Element:
    """Return the root element. A declared encoding that the bytes contradict is ignored if they are UTF-8."""
    try:
        return _parsed_as_declared(body)
    except Refusal:
        undeclared = _undeclared(body)
        if undeclared == body or not _is_utf8(body):
            raise
    return _parsed_as_declared(undeclared)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _parsed_as_declared(body: bytes) -> etree._Element:
    """Return the root element; expands no entities, loads no DTD, fetches nothing."""
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
    if len(body) > NODES_MAX and float(COUNT(root)) > NODES_MAX:  # type: ignore[arg-type]  # count() returns a number
        raise Refusal("E108", f"The request has more than {NODES_MAX} elements")
    return root


def _location(problem: etree.XMLSyntaxError, before: bytes) -> str:
    """Return the position of the error in the customer's text, and its cause; `before` is the white space removed."""
    line, column = problem.position
    if line == 1:
        column += len(before.rpartition(b"\n")[2])
    line += before.count(b"\n")
    position = f"Not well-formed at line {line}, column {column}"
    reason = REASON_OF.get(problem.code)  # type: ignore[attr-defined]  # stubs lack it
    return f"{position}: {reason}" if reason else position


def _node(element: etree._Element, name: str, dialect: Dialect, known: Collection[str], depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise Refusal("E108", f"Elements are nested more than {DEPTH_MAX} levels deep")
    children = _attributes(element, dialect) if name == dialect.parameters["slide"] else []
    if len(element):
        named = [(_local_name(child), child) for child in element]
        # The names in data are merge tags of the customer.
        inside = {child_name for child_name, _ in named} if name == dialect.parameters["data"] else known
        children += [
            _node(child, child_name, dialect, inside, depth + 1) for child_name, child in named if child_name in inside
        ]
    return Node(dialect, name, (element.text or "").strip(), tuple(children), is_text_only=not len(element))


def _attributes(element: etree._Element, dialect: Dialect) -> list[Node]:
    """Return the duration of a slide that is given as an attribute, in either case."""
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
