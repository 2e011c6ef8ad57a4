"""The canonical request: a tree that is read by canonical names, whatever dialect it came in."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from mms.api.dialects import Dialect
from mms.api.errors import Refusal
from mms.runtime.xml import NOT_XML

# Deeper than any request nests; libxml2 alone would allow 256, and Python's JSON as much as its stack.
DEPTH_MAX = 10
# Elements, or values of JSON, of one request: far more than any has, and read in a twentieth of a second.
NODES_MAX = 20_000


class InvalidParameter(Exception):
    """An element that gives no one value; the sentence says why."""


# Not frozen, which would make it three times as slow to make, and a request has dozens. Nobody changes one.
@dataclass(slots=True)
class Node:
    """One element: its name on the wire, its text without white space around it, and what is in it.

    `is_text_only` tells that it holds text alone, not even unknown elements.
    """

    dialect: Dialect
    name: str
    text: str = ""
    children: tuple["Node", ...] = ()
    is_text_only: bool = True
    _named: dict[str, list["Node"]] | None = field(default=None, init=False, repr=False, compare=False)

    def name_of(self, name: str) -> str:
        """The parameter's name as the customer writes it."""
        alias = self.dialect.aliases.get(name)
        given = alias and any(child.name == alias for child in self.children)
        return alias if alias and given else self.dialect.parameters[name]

    def all(self, name: str) -> Sequence["Node"]:
        if self._named is None:
            self._named = defaultdict(list)
            for child in self.children:
                self._named[child.name].append(child)
        spellings = (self.dialect.parameters[name], self.dialect.aliases.get(name))
        if spellings[1] in self._named:
            return [child for child in self.children if child.name in spellings]
        return self._named.get(spellings[0], ())

    def one(self, name: str) -> "Node | None":
        """The element of that name, or None. Raises InvalidParameter where it stands more than once."""
        found = self.all(name)
        spellings = list(dict.fromkeys(node.name for node in found))
        if len(spellings) > 1:
            raise InvalidParameter(f"{' and '.join(spellings)} mean the same; give one of them")
        if len(found) > 1:
            raise InvalidParameter(f"{found[0].name} stands more than once")
        return found[0] if found else None

    def value(self, name: str) -> str:
        """The text of the element of that name, "" where it is missing. Raises InvalidParameter."""
        found = self.one(name)
        return found.checked_text() if found else ""

    def checked_text(self) -> str:
        """Its text. Raises InvalidParameter where there are elements among it: what they stand for would be lost."""
        if not self.is_text_only:
            hint = ", with < written as &lt;" if self.dialect.request_root else ""
            raise InvalidParameter(f"{self.name[:40]} must hold text alone{hint}")
        return self.text


def text_node(dialect: Dialect, wire: str, text: str) -> Node:
    """A parameter from a format that, unlike XML, can hold any character. Raises Refusal for those we cannot keep."""
    check_characters(wire, text)
    return Node(dialect, wire, text.strip())


def check_characters(wire: str, text: str = "") -> None:
    """Raises Refusal where the name or the text of a parameter holds what no XML, and so no message, can carry."""
    strange = NOT_XML.search(wire + text)
    if strange:
        raise Refusal("E100", f"{wire[:40]} holds the character U+{ord(strange[0]):04X}, which no message can carry")
