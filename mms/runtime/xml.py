"""Writing XML: what every document of ours shares, and the documents of the customer API."""

import re
from collections.abc import Iterable
from typing import Final, TypeAlias, Union
from xml.sax.saxutils import escape

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

# What XML 1.0 cannot carry at all (section 2.2).
NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# An element: its name, and its text or the elements in it.
Element: TypeAlias = tuple[str, Union[str, "Iterable[Element]"]]


def carried(raw: str) -> str:
    """The text without the characters that no XML document can hold."""
    return NOT_XML.sub("", raw)


def xml_text(raw: str) -> str:
    """Text escaped for element content, without the characters that no XML document can hold."""
    return escape(carried(raw), {"\r": "&#13;"})


def document(root: str, elements: Iterable[Element]) -> bytes:
    """One element that holds these in their order, in UTF-8."""
    return f"{DECLARATION}{_element(root, elements)}".encode()


def _element(name: str, content: str | Iterable[Element]) -> str:
    inside = xml_text(content) if isinstance(content, str) else "".join(_element(*element) for element in content)
    return f"<{name}>{inside}</{name}>"
