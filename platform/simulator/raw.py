"""An exchange as a person reads it: text as it is, pictures and other binary parts as their size."""

from simulator.log import Exchange
from simulator.mime import Malformed, Part, entity, split

READABLE = frozenset({"text/xml", "text/plain", "application/smil", "text/x-vcard", "text/vcard"})
LONGEST = 20_000


def request_text(exchange: Exchange) -> str:
    """The request with its headers; a body that is not what its headers say stands as it came, cut short."""
    try:
        return f"{exchange.head}\n\n{_text(entity(exchange.content_type, exchange.body))}"
    except Malformed:
        return f"{exchange.head}\n\n{exchange.body[:LONGEST].decode('utf-8', 'replace')}"


def _text(part: Part) -> str:
    if part.multipart:
        boundary = part.headers.get_boundary()
        parts = "".join(f"--{boundary}\n{_headers(inner)}\n\n{_text(inner)}\n" for inner in split(part))
        return f"{parts}--{boundary}--"
    if part.mime_type in READABLE:
        charset = part.headers.get_content_charset() or "utf-8"
        return _decoded(part.content[:LONGEST], charset)
    return f"[{len(part.content)} bytes]"


def _headers(part: Part) -> str:
    return "\n".join(f"{name}: {value}" for name, value in part.headers.items())


def _decoded(text: bytes, charset: str) -> str:
    try:
        return text.decode(charset, "replace")
    except LookupError:
        return text.decode("latin-1")
