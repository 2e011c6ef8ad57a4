"""Writing XML: what every document of ours shares, and the flat documents of the customer API."""

import re
from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import escape

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

# What XML 1.0 cannot carry at all (section 2.2).
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(raw: str) -> str:
    """Text escaped for element content, without the characters that no XML document can hold."""
    return escape(_NOT_XML.sub("", raw), {"\r": "&#13;"})


def document(root: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """One element that holds these (name, text) fields in their order, in UTF-8."""
    content = "".join(f"<{name}>{xml_text(text)}</{name}>" for name, text in fields)
    return f"{DECLARATION}<{root}>{content}</{root}>".encode()
