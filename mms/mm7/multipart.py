"""Tolerant parsing of the MIME multipart bodies that MMSCs send."""

import binascii
import quopri
import re
from dataclasses import dataclass
from typing import Final

MAX_PARTS: Final = 100
MAX_HEADER: Final = 8192  # bytes of a part's headers

# Bytes that are checked for a bare XML document or an undeclared boundary.
_SNIFF: Final = 512

_BLANK_LINE: Final = re.compile(rb"(?:\A|\r?\n)\r?\n")
_XML_TYPES: Final = ("text/xml", "application/xml", "application/soap+xml")


@dataclass(frozen=True, slots=True)
class BodyPart:
    """One part of a body, with its transfer encoding decoded; header names are in lower case."""

    headers: dict[str, str]
    data: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def content_id(self) -> str:
        """The Content-ID without its angle brackets, which some MMSCs omit."""
        return self.headers.get("content-id", "").strip("<> \t")


def header_parameter(header: str, name: str) -> str:
    """Return a parameter of a header such as Content-Type; empty if there is none."""
    found = re.search(rf';\s*{re.escape(name)}\s*=\s*(?:"([^"]*)"|([^\s;"]+))', header, re.IGNORECASE)
    return (found[1] or found[2] or "").strip() if found else ""


def split_parts(content_type: str, body: bytes) -> list[BodyPart]:
    """Return the parts of a multipart body; none if it is not multipart, regardless of its Content-Type."""
    boundary = _boundary(content_type, body)
    if not boundary:
        return []
    delimiter = b"--" + boundary
    content = body.partition(delimiter + b"--")[0]
    chunks = re.split(re.escape(delimiter) + rb"[ \t]*\r?\n", content, maxsplit=MAX_PARTS)
    return [_part(chunk) for chunk in chunks[1:]]


def root_part(content_type: str, body: bytes) -> BodyPart:
    """Return the part with the envelope: the one named by `start`, else the first XML part, else the first part.

    A body that is not multipart is its own root part.
    """
    parts = split_parts(content_type, body)
    if not parts:
        return BodyPart({"content-type": content_type}, body)
    start = header_parameter(content_type, "start").strip("<>")
    named = [part for part in parts if start and part.content_id == start]
    xml = [part for part in parts if part.content_type.lower().startswith(_XML_TYPES)]
    return (named or xml or parts)[0]


def _boundary(content_type: str, body: bytes) -> bytes:
    head = body[:_SNIFF].lstrip()
    if head.startswith(b"<"):  # a bare XML document, even under a multipart header
        return b""
    declared = header_parameter(content_type, "boundary").encode("latin-1", "replace")
    if declared and b"--" + declared in body:
        return declared
    first_line = head.partition(b"\n")[0].rstrip()
    return first_line[2:] if first_line.startswith(b"--") else b""


def _part(chunk: bytes) -> BodyPart:
    if chunk[:_SNIFF].lstrip().startswith(b"<"):  # a part without headers
        return BodyPart({}, chunk)
    head, _, data = _partition_blank_line(chunk)
    headers = _headers(head.decode("latin-1"))
    data = data.removesuffix(b"\n").removesuffix(b"\r")  # the last line end belongs to the boundary
    return BodyPart(headers, _decode_transfer(headers.get("content-transfer-encoding", ""), data))


def _partition_blank_line(chunk: bytes) -> tuple[bytes, bytes, bytes]:
    found = _BLANK_LINE.search(chunk, 0, MAX_HEADER)
    return (chunk[: found.start()], found[0], chunk[found.end() :]) if found else (b"", b"", chunk)


def _headers(text: str) -> dict[str, str]:
    unfolded = re.sub(r"\r?\n[ \t]+", " ", text)
    pairs = (line.partition(":") for line in unfolded.splitlines())
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def _decode_transfer(transfer_encoding: str, data: bytes) -> bytes:
    match transfer_encoding.strip().lower():
        case "base64":
            try:
                return binascii.a2b_base64(data)
            except binascii.Error:  # labelled base64 but not encoded
                return data
        case "quoted-printable":
            return quopri.decodestring(data)
        case _:
            return data
