"""Parses a JSON request into a tree; an array becomes a repeated element."""

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from mms.api.dialects import SINCH_JSON
from mms.api.errors import Refusal
from mms.api.request_tree import DEPTH_MAX, NODES_MAX, Node, check_characters, text_node


class _Object(tuple[tuple[str, Any], ...]):
    """The members of a JSON object in their order, including repeated names."""

    __slots__ = ()


class _NotJson(ValueError):
    """A constant such as NaN, which Python accepts and JSON does not."""


def parse(body: bytes, key: str) -> Node:
    """Return the request in `body`, with the API key from the header.

    Raises Refusal: E108 if the body is not well-formed JSON, E100 if it is not an object.
    """
    found = _parsed(body)
    if not isinstance(found, _Object):
        raise Refusal("E100", "The request must be a JSON object")
    header = SINCH_JSON.parameters["api_key"]
    given = [child for child in _members(found, in_data=False, depth=1) if child.name != header]
    return Node(SINCH_JSON, "", children=(text_node(SINCH_JSON, header, key), *given), is_text_only=False)


def _parsed(body: bytes) -> Any:
    """Return the JSON value, with numbers as the strings in the body."""
    try:
        found = json.loads(
            body, object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=_refuse_constant
        )
        if len(body) > NODES_MAX and _has_too_many(found):
            raise Refusal("E108", f"The request has more than {NODES_MAX} values")
    except json.JSONDecodeError as problem:
        location = f"line {problem.lineno}, column {problem.colno}"
        raise Refusal("E108", f"Not well-formed at {location}: {problem.msg}") from None
    except UnicodeDecodeError:
        raise Refusal("E108", "Not well-formed: JSON must be in UTF-8") from None
    except _NotJson as problem:
        raise Refusal("E108", f"Not well-formed: {problem} is not a JSON value") from None
    except RecursionError:
        raise Refusal("E108", "Not well-formed: it is nested too deeply") from None
    return found


def _has_too_many(found: Any) -> bool:
    """Return whether there are more than NODES_MAX values at any depth; stops counting there."""
    pending, seen = [found], 0
    while pending and seen <= NODES_MAX:
        value = pending.pop()
        seen += 1
        match value:
            case _Object():
                pending.extend(member for _, member in value)
            case list():
                pending.extend(value)
    return seen > NODES_MAX


def _refuse_constant(constant: str) -> NoReturn:
    raise _NotJson(constant)


def _members(found: _Object, *, in_data: bool, depth: int) -> Iterator[Node]:
    """Yield the members with known names; in `data`, every name is a merge tag of the customer."""
    if depth > DEPTH_MAX:
        raise Refusal("E108", f"Objects are nested more than {DEPTH_MAX} levels deep")
    for name, value in found:
        if in_data or name in SINCH_JSON.known_names:
            yield from _nodes(name, value, depth)


def _nodes(name: str, value: Any, depth: int) -> Iterator[Node]:
    match value:
        case None:
            return
        case list():
            for item in value:
                yield from _item(name, item, depth)
        case _:
            yield from _item(name, value, depth)


def _item(name: str, value: Any, depth: int) -> Iterator[Node]:
    match value:
        case None:
            return
        case _Object():
            check_characters(name)
            children = tuple(_members(value, in_data=name == SINCH_JSON.parameters["data"], depth=depth + 1))
            yield Node(SINCH_JSON, name, children=children, is_text_only=False)
        case list():
            raise Refusal("E100", f"{name[:40]} contains an array within an array")
        case bool():
            yield text_node(SINCH_JSON, name, str(value).lower())
        case _:
            yield text_node(SINCH_JSON, name, str(value))
