"""Responses as servers send them: headers of any size, and bodies compressed although nobody asked for that."""

import zlib
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

# Bytes of all headers of a response together, the limit of curl as well. Beyond it, only the status counts.
HEADERS_MAX: Final = 300_000
STATUS_LINE: Final = len(b"HTTP/1.1 200")
# Codings of RFC 9110 and of the registry of HTTP. Other words, such as utf-8 or aws-chunked, say nothing of the bytes.
CODINGS: Final = frozenset({"br", "compress", "deflate", "gzip", "x-compress", "x-gzip", "zstd", "dcb", "dcz"})
GZIP: Final = frozenset({"gzip", "x-gzip"})
# zlib recognises both headers, that of gzip and its own, with which deflate is meant to begin.
ANY_HEADER: Final = 32 + zlib.MAX_WBITS


class HeadersTooLarge(aiohttp.ClientError):
    """The headers of a response exceed HEADERS_MAX; its status, if the status line could be read."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"its headers are larger than {HEADERS_MAX} bytes")
        self.status = status


class UnreadableCoding(Exception):
    """The Content-Encoding of a body is unknown, or its bytes disagree; the message gives the reason."""


class LimitedResponse(ResponseHandler):
    """The client's side of a connection, which limits the headers of a response in total and not each of them."""

    _headers_left: int | None = None
    _start = b""

    def set_response_params(self, **options: Any) -> None:
        """Begin a response."""
        self._headers_left, self._start = HEADERS_MAX, b""
        super().set_response_params(**options)

    def data_received(self, data: bytes) -> None:
        """Count what arrives before the headers end, beside handing it on."""
        if len(self._start) < STATUS_LINE:
            self._start = (self._start + data[:STATUS_LINE])[:STATUS_LINE]
        super().data_received(data)
        if self._headers_left is None:
            return
        self._headers_left -= len(data)
        if self._headers_left < 0:
            self.set_exception(HeadersTooLarge(_status(self._start)))
            if self.transport:
                self.transport.close()

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Take a response whose headers are complete; an informational one is followed by another."""
        if data[0].code >= 200:
            self._headers_left = None
        super().feed_data(data, size)


def _status(start: bytes) -> int | None:
    version, _, code = start.partition(b" ")
    return int(code) if version.startswith(b"HTTP/") and code.isdigit() else None


def decoded(body: bytes, content_encoding: str, size_max: int) -> bytes:
    """Return the body without its Content-Encoding, at most one byte more than `size_max`.

    Bytes that do not begin like gzip are taken as they are, whatever the header says. Raises UnreadableCoding.
    """
    codings = [word for word in (each.strip().lower() for each in content_encoding.split(",")) if word in CODINGS]
    if not codings or (codings[0] in GZIP and len(codings) == 1 and not body.startswith(b"\x1f\x8b")):
        return body
    if len(codings) > 1 or codings[0] not in GZIP | {"deflate"}:
        raise UnreadableCoding(
            f"its server sent it with Content-Encoding: {', '.join(codings)}, which was not asked for"
        )
    try:
        return _inflated(body, size_max + 1)
    except zlib.error:
        raise UnreadableCoding(f"it does not match its Content-Encoding: {codings[0]}") from None


def _inflated(body: bytes, size: int) -> bytes:
    """Return at most `size` decompressed bytes of one or several streams. Raises zlib.error."""
    result = bytearray()
    while body and len(result) < size:
        stream = zlib.decompressobj(ANY_HEADER)
        result += stream.decompress(body, size - len(result))
        if not stream.eof and len(result) < size:
            raise zlib.error("the stream is cut short")
        body = stream.unused_data
        if not body.startswith(b"\x1f\x8b"):  # padding
            break
    return bytes(result)
