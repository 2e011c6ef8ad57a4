"""XML output: escaping for all our documents, and the documents of the customer API."""

import re
from collections.abc import Iterable
from typing import Final, TypeAlias, Union
from xml.sax.saxutils import escape

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

# Characters that XML 1.0 does not allow (section 2.2).
NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# An element: its name, and its text or the elements in it.
Element: TypeAlias = tuple[str, Union[str, "Iterable[Element]"]]


def strip_invalid_characters(raw: str) -> str:
    """Return the text without the characters that XML does not allow."""
    return NOT_XML.sub("", raw)


def escape_text(raw: str) -> str:
    """Return the text escaped for element content, without the characters that XML does not allow."""
    return escape(strip_invalid_characters(raw), {"\r": "&#13;"})


def build_document(root: str, elements: Iterable[Element]) -> bytes:
    """Return a document, in UTF-8, whose root element contains these elements."""
    return f"{DECLARATION}{_element(root, elements)}".encode()


def _element(name: str, content: str | Iterable[Element]) -> str:
    inside = escape_text(content) if isinstance(content, str) else "".join(_element(*element) for element in content)
    return f"<{name}>{inside}</{name}>"
