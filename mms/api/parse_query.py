"""Parses a query string into a request tree; customtext_N and data_NAME become nested elements."""

import re
from urllib.parse import parse_qsl

from mms.api.dialects import SKYCORE_GET
from mms.api.errors import Refusal
from mms.api.request_tree import Node, text_node

CUSTOM_TEXT = re.compile(r"customtext_(.*)", re.IGNORECASE | re.DOTALL)
DATA = re.compile(r"data_(.+)", re.IGNORECASE | re.DOTALL)
PAIRS_MAX = 1000


def parse(query: str) -> Node:
    """Return the request in the query string; names are case-insensitive. Raises Refusal."""
    children: list[Node] = []
    data: list[Node] = []
    for key, value in _pairs(query):
        if found := CUSTOM_TEXT.fullmatch(key):
            children.append(_custom_text(found[1], value))
        elif found := DATA.fullmatch(key):
            data.append(text_node(SKYCORE_GET, found[1], value))
        elif key.lower() in SKYCORE_GET.known_names:
            children.append(text_node(SKYCORE_GET, key.lower(), value))
    if data:
        children.append(_parent("data", *data))
    return Node(SKYCORE_GET, "", children=tuple(children), is_text_only=False)


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=PAIRS_MAX)
    except UnicodeDecodeError:
        raise Refusal("E108", "Not well-formed: the query must be percent-encoded UTF-8") from None
    except ValueError:
        raise Refusal("E100", f"The query has more than {PAIRS_MAX} parameters") from None
    if not pairs:
        raise Refusal("E100", "The request is empty: it has neither a body nor parameters")
    return pairs


def _custom_text(slide: str, value: str) -> Node:
    names = SKYCORE_GET.parameters
    parts = (text_node(SKYCORE_GET, names["custom_slide"], slide), text_node(SKYCORE_GET, names["value"], value))
    return _parent("custom_text", *parts)


def _parent(name: str, *children: Node) -> Node:
    return Node(SKYCORE_GET, SKYCORE_GET.parameters[name], children=children, is_text_only=False)
