"""A JSON request as a tree: a member with an array stands for one that is repeated."""

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from mms.api.dialects import SINCH_JSON
from mms.api.errors import Refusal
from mms.api.request_tree import DEPTH_MAX, NODES_MAX, Node, check_characters, text_node


class _Object(tuple[tuple[str, Any], ...]):
    """The members of an object in their order, a repeated one as often as it stands."""

    __slots__ = ()


class _NotJson(ValueError):
    """NaN and the infinities, which Python would read."""


def parse(body: bytes, key: str) -> Node:
    """The request in these bytes, with the key that came in the header.

    Raises Refusal: E108 where it is not well-formed, E100 where it is no request.
    """
    found = _parsed(body)
    if not isinstance(found, _Object):
        raise Refusal("E100", "The request must be a JSON object")
    header = SINCH_JSON.parameters["api_key"]
    given = [child for child in _inside(found, in_data=False, depth=1) if child.name != header]
    return Node(SINCH_JSON, "", children=(text_node(SINCH_JSON, header, key), *given), is_text_only=False)


def _parsed(body: bytes) -> Any:
    """Numbers stay as they are written."""
    try:
        found = json.loads(
            body, object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=_refuse_constant
        )
        if len(body) > NODES_MAX and _has_too_many(found):
            raise Refusal("E108", f"There are more than {NODES_MAX} values")
    except json.JSONDecodeError as problem:
        where = f"line {problem.lineno}, column {problem.colno}"
        raise Refusal("E108", f"Not well-formed at {where}: {problem.msg}") from None
    except UnicodeDecodeError:
        raise Refusal("E108", "Not well-formed: JSON must be in UTF-8") from None
    except _NotJson as problem:
        raise Refusal("E108", f"Not well-formed: {problem} is no JSON value") from None
    except RecursionError:
        raise Refusal("E108", "Not well-formed: it is nested too deep") from None
    return found


def _has_too_many(found: Any) -> bool:
    """Whether there are more than NODES_MAX values, at any depth; no more than those are looked at."""
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


def _inside(found: _Object, *, in_data: bool, depth: int) -> Iterator[Node]:
    """What the object holds and the dialect knows; the names in data are the customer's own."""
    if depth > DEPTH_MAX:
        raise Refusal("E108", f"Objects are nested deeper than {DEPTH_MAX}")
    for wire, value in found:
        if in_data or wire in SINCH_JSON.known_names:
            yield from _nodes(wire, value, depth)


def _nodes(wire: str, value: Any, depth: int) -> Iterator[Node]:
    match value:
        case None:
            return
        case list():
            for item in value:
                yield from _item(wire, item, depth)
        case _:
            yield from _item(wire, value, depth)


def _item(wire: str, value: Any, depth: int) -> Iterator[Node]:
    match value:
        case None:
            return
        case _Object():
            check_characters(wire)
            children = tuple(_inside(value, in_data=wire == SINCH_JSON.parameters["data"], depth=depth + 1))
            yield Node(SINCH_JSON, wire, children=children, is_text_only=False)
        case list():
            raise Refusal("E100", f"{wire[:40]} holds an array in an array")
        case bool():
            yield text_node(SINCH_JSON, wire, str(value).lower())
        case _:
            yield text_node(SINCH_JSON, wire, str(value))
