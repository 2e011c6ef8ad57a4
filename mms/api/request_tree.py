"""The request as a tree of elements, read by canonical parameter names in every dialect."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from mms.api.dialects import Dialect
from mms.api.errors import Refusal
from mms.runtime.xml import NOT_XML

# Deeper than any valid request. libxml2 alone would allow 256 levels, Python's JSON parser its whole stack.
DEPTH_MAX = 10
# Elements or JSON values per request: far more than a valid request has, and parsed in 50 ms.
NODES_MAX = 20_000


class InvalidParameter(Exception):
    """A parameter that is repeated or malformed; the message is part of the error sentence."""


# Treated as immutable. `frozen=True` would triple the cost of creating one, and a request has dozens.
@dataclass(slots=True)
class Node:
    """An element: its name as the customer wrote it, its text without surrounding white space, and its children.

    `is_text_only` is true if the source has no child elements, including unknown ones, which `children` omits.
    """

    dialect: Dialect
    name: str
    text: str = ""
    children: tuple["Node", ...] = ()
    is_text_only: bool = True
    _named: dict[str, list["Node"]] | None = field(default=None, init=False, repr=False, compare=False)

    def name_of(self, name: str) -> str:
        """Return the name of the parameter as the customer wrote it or, if it is missing, would write it."""
        alias = self.dialect.aliases.get(name)
        is_alias_used = alias and any(child.name == alias for child in self.children)
        return alias if alias and is_alias_used else self.dialect.parameters[name]

    def all(self, name: str) -> Sequence["Node"]:
        """Return the child elements for the parameter, in their order."""
        if self._named is None:
            self._named = defaultdict(list)
            for child in self.children:
                self._named[child.name].append(child)
        spellings = (self.dialect.parameters[name], self.dialect.aliases.get(name))
        if spellings[1] in self._named:
            return [child for child in self.children if child.name in spellings]
        return self._named.get(spellings[0], ())

    def one(self, name: str) -> "Node | None":
        """Return the child element for the parameter, or None. Raises InvalidParameter if it is repeated."""
        found = self.all(name)
        spellings = list(dict.fromkeys(node.name for node in found))
        if len(spellings) > 1:
            raise InvalidParameter(f"{' and '.join(spellings)} mean the same; send only one of them")
        if len(found) > 1:
            raise InvalidParameter(f"{found[0].name} is given more than once")
        return found[0] if found else None

    def value(self, name: str) -> str:
        """Return the text of the parameter, or "" if it is missing. Raises InvalidParameter."""
        found = self.one(name)
        return found.checked_text() if found else ""

    def checked_text(self) -> str:
        """Return the text of this element. Raises InvalidParameter if it has child elements, which would be lost."""
        if not self.is_text_only:
            hint = "; write < as &lt;" if self.dialect.request_root else ""
            raise InvalidParameter(f"{self.name[:40]} must contain only text{hint}")
        return self.text


def text_node(dialect: Dialect, name: str, text: str) -> Node:
    """Return an element with text from a format other than XML. Raises Refusal as check_characters does."""
    check_characters(name, text)
    return Node(dialect, name, text.strip())


def check_characters(name: str, text: str = "") -> None:
    """Refuse a parameter whose name or text contains a character that XML, and so a message, cannot carry."""
    invalid = NOT_XML.search(name + text)
    if invalid:
        raise Refusal("E100", f"{name[:40]} contains the character U+{ord(invalid[0]):04X}, which is not allowed")
