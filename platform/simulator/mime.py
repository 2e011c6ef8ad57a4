"""Multipart bodies (RFC 2046, RFC 2387), read strictly: CRLF line ends and a closing boundary."""

import base64
import binascii
import quopri
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from itertools import pairwise
from typing import NamedTuple


class Malformed(ValueError):
    """The body is not what its headers say; the text names the field and the reason."""


@dataclass(frozen=True, slots=True)
class Part:
    """One entity: its headers, and its body without the transfer encoding."""

    headers: Message
    content: bytes

    @property
    def mime_type(self) -> str:
        return self.headers.get_content_type()

    @property
    def multipart(self) -> bool:
        return self.headers.get_content_maintype() == "multipart"

    @property
    def content_id(self) -> str:
        return self.headers.get("Content-ID", "").strip().removeprefix("<").removesuffix(">")

    @property
    def location(self) -> str:
        return self.headers.get("Content-Location", "").strip()

    @property
    def name(self) -> str:
        """How to speak of the part to a person."""
        return self.location or self.content_id or self.mime_type


def entity(content_type: str, body: bytes) -> Part:
    """What an HTTP message carries, as one part."""
    headers = Message()
    headers["Content-Type"] = content_type
    return Part(headers, body)


def split(whole: Part) -> tuple[Part, ...]:
    """The parts of a multipart. Raises Malformed where the body does not keep to its headers."""
    boundary = whole.headers.get_boundary()
    if not boundary:
        raise Malformed(f"Content-Type {whole.mime_type} has no boundary")
    body = b"\r\n" + whole.content
    marks = list(_delimiters(body, b"\r\n--" + boundary.encode("latin-1", "replace")))
    if not marks or not marks[-1].closing:
        raise Malformed(f"the closing boundary of {whole.mime_type} is missing")
    return tuple(_part(body[mark.end : after.start]) for mark, after in pairwise(marks))


class _Delimiter(NamedTuple):
    start: int
    end: int
    closing: bool


def _delimiters(body: bytes, token: bytes) -> Iterator[_Delimiter]:
    """The delimiter lines up to the closing one. A line that goes on after the boundary is another's, or content."""
    start = body.find(token)
    while start >= 0:
        end = start + len(token)
        line_end = body.find(b"\r\n", end)
        rest = body[end:line_end] if line_end >= 0 else body[end:]
        if rest.startswith(b"--") or (line_end >= 0 and not rest.strip(b" \t")):
            yield _Delimiter(start, line_end, closing := rest.startswith(b"--"))
            if closing:
                return
        start = body.find(token, end)


def _part(piece: bytes) -> Part:
    head, blank_line, body = piece.partition(b"\r\n\r\n")
    headers = HeaderParser().parsestr(head.decode("latin-1").lstrip(" \t").removeprefix("\r\n"))
    if not blank_line or "Content-Type" not in headers:
        raise Malformed("a part has no Content-Type")
    return Part(headers, _decoded(headers, body))


def _decoded(headers: Message, body: bytes) -> bytes:
    encoding = headers.get("Content-Transfer-Encoding", "binary").strip().lower()
    match encoding:
        case "binary" | "8bit" | "7bit":
            return body
        case "quoted-printable":
            return quopri.decodestring(body)
        case "base64":
            return _base64(body)
    raise Malformed(f"Content-Transfer-Encoding {encoding} is unknown")


def _base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        raise Malformed(f"a part is not base64 ({error})") from error
