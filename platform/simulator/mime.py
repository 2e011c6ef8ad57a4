"""Strict parser of multipart bodies (RFC 2046, RFC 2387): requires CRLF line ends and a closing boundary."""

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
    """The body does not match its headers; the message names the field and the reason."""


@dataclass(frozen=True, slots=True)
class Part:
    """A MIME entity: its headers, and its body with the transfer encoding removed."""

    headers: Message
    content: bytes

    @property
    def mime_type(self) -> str:
        return self.headers.get_content_type()

    @property
    def is_multipart(self) -> bool:
        return self.headers.get_content_maintype() == "multipart"

    @property
    def content_id(self) -> str:
        return self.headers.get("Content-ID", "").strip().removeprefix("<").removesuffix(">")

    @property
    def location(self) -> str:
        return self.headers.get("Content-Location", "").strip()

    @property
    def name(self) -> str:
        """Name of the part for log entries and error messages."""
        return self.location or self.content_id or self.mime_type


def entity(content_type: str, body: bytes) -> Part:
    """Return the content of an HTTP message as a part."""
    headers = Message()
    headers["Content-Type"] = content_type
    return Part(headers, body)


def split(whole: Part) -> tuple[Part, ...]:
    """Return the parts of a multipart. Raises Malformed if the body does not match its headers."""
    boundary = whole.headers.get_boundary()
    if not boundary:
        raise Malformed(f"Content-Type {whole.mime_type} has no boundary")
    body = b"\r\n" + whole.content
    delimiters = list(_delimiters(body, b"\r\n--" + boundary.encode("latin-1", "replace")))
    if not delimiters or not delimiters[-1].is_closing:
        raise Malformed(f"the closing boundary of {whole.mime_type} is missing")
    return tuple(_part(body[one.end : following.start]) for one, following in pairwise(delimiters))


class _Delimiter(NamedTuple):
    start: int
    end: int
    is_closing: bool


def _delimiters(body: bytes, token: bytes) -> Iterator[_Delimiter]:
    """Yield the delimiter lines up to the closing one.

    A line with further text after the boundary is content, or the delimiter of a nested multipart.
    """
    start = body.find(token)
    while start >= 0:
        end = start + len(token)
        line_end = body.find(b"\r\n", end)
        rest = body[end:line_end] if line_end >= 0 else body[end:]
        if rest.startswith(b"--") or (line_end >= 0 and not rest.strip(b" \t")):
            yield _Delimiter(start, line_end, is_closing := rest.startswith(b"--"))
            if is_closing:
                return
        start = body.find(token, end)


def _part(piece: bytes) -> Part:
    head, blank_line, body = piece.partition(b"\r\n\r\n")
    headers = HeaderParser().parsestr(head.decode("latin-1").lstrip(" \t").removeprefix("\r\n"))
    if not blank_line or "Content-Type" not in headers:
        raise Malformed("a part has no Content-Type")
    return Part(headers, _decode(headers, body))


def _decode(headers: Message, body: bytes) -> bytes:
    encoding = headers.get("Content-Transfer-Encoding", "binary").strip().lower()
    match encoding:
        case "binary" | "8bit" | "7bit":
            return body
        case "quoted-printable":
            return quopri.decodestring(body)
        case "base64":
            return _decode_base64(body)
    raise Malformed(f"Content-Transfer-Encoding {encoding} is not supported")


def _decode_base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        raise Malformed(f"a part is not base64 ({error})") from error
