"""Readable rendering of an MM7 exchange: text in full, pictures and other binary parts as their size."""

from simulator.log import Exchange
from simulator.mime import Malformed, Part, entity, split

TEXT_TYPES = frozenset({"text/xml", "text/plain", "application/smil", "text/x-vcard", "text/vcard"})
MAX_BYTES = 20_000


def request_text(exchange: Exchange) -> str:
    """Return the request with its headers; a malformed body is shown verbatim, truncated."""
    try:
        return f"{exchange.head}\n\n{_part_text(entity(exchange.content_type, exchange.body))}"
    except Malformed:
        return f"{exchange.head}\n\n{exchange.body[:MAX_BYTES].decode('utf-8', 'replace')}"


def _part_text(part: Part) -> str:
    if part.is_multipart:
        boundary = part.headers.get_boundary()
        parts = "".join(f"--{boundary}\n{_header_lines(inner)}\n\n{_part_text(inner)}\n" for inner in split(part))
        return f"{parts}--{boundary}--"
    if part.mime_type in TEXT_TYPES:
        charset = part.headers.get_content_charset() or "utf-8"
        return _decode(part.content[:MAX_BYTES], charset)
    return f"[{len(part.content)} bytes]"


def _header_lines(part: Part) -> str:
    return "\n".join(f"{name}: {value}" for name, value in part.headers.items())


def _decode(text: bytes, charset: str) -> str:
    try:
        return text.decode(charset, "replace")
    except LookupError:
        return text.decode("latin-1")
