"""SOAP envelopes (SOAP 1.1; 3GPP TS 23.140, 8.7.9): tolerant, bounded reading and strict writing."""

import codecs
import re
import sys
from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import quoteattr

from lxml import etree

from mms.mm7.multipart import header_parameter, root_part
from mms.runtime.xml import NOT_XML, escape_text

SCHEMAS: Final = "http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/"
REL_5: Final = SCHEMAS + "REL-5-MM7-1-0"
REL_6: Final = SCHEMAS + "REL-6-MM7-1-4"

MAX_ID: Final = 200  # characters of an ID, the size of its column; real ones stay under 100
MAX_BODY: Final = 8 * 1024 * 1024  # bytes; enough for a message from a handset with its media
MAX_ENVELOPE: Final = 64 * 1024  # bytes; real ones stay under 10 KB
MAX_DEPTH: Final = 32  # nested elements; real ones stay under 10

# Encodings that MMSCs declare, with the codec for each, including its common extensions. UTF-16 is omitted
# deliberately: real UTF-16 is recognised by its bytes, and the declaration is usually wrong.
_CODECS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "iso-8859-1": "latin-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "cp1252",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5",
    "euc-jp": "euc_jp",
    "shift_jis": "cp932",
}

_DECLARATION: Final = re.compile(r"\A<\?xml\b[^>]*\?>")
_DECLARED: Final = re.compile(rb"<\?xml\b[^>]*?\bencoding\s*=\s*[\"']([\w.-]+)")
_BARE_AMPERSAND: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9A-Fa-f]+);)")
_REFERENCE: Final = re.compile(r"&#(?:(\d{1,9})|x([0-9A-Fa-f]{1,7}));")


class Malformed(Exception):
    """The body is not usable SOAP; the message gives the reason and is safe to return to the sender."""


def read_envelope(content_type: str, body: bytes) -> etree._Element:
    """Return the root element of the envelope in an HTTP body, bare or in the root part of a multipart.

    Accepts undeclared prefixes, stray ampersands and wrong encoding declarations. Raises Malformed for a body that is
    not XML, truncated, too large (MAX_BODY, MAX_ENVELOPE), too deep (MAX_DEPTH) or has a document type.
    """
    if len(body) > MAX_BODY:
        raise Malformed(f"the body is larger than {MAX_BODY} bytes")
    part = root_part(content_type, body)
    if len(part.data) > MAX_ENVELOPE:
        raise Malformed(f"the envelope is larger than {MAX_ENVELOPE} bytes")
    root = _parse(_decode(part.content_type, part.data))
    if _is_deeper(root, MAX_DEPTH):
        raise Malformed(f"the envelope is nested deeper than {MAX_DEPTH} elements")
    return root


def local_name(element: etree._Element) -> str:
    """Return the name without namespace or prefix, in lower case, because MMSCs write MessageID or MessageId."""
    return plain_name(element).lower()


def plain_name(element: etree._Element) -> str:
    """Return the name without namespace or prefix, in the sender's spelling."""
    return element.tag.rpartition("}")[2].rpartition(":")[2]


def namespace_of(element: etree._Element) -> str:
    """Return the namespace of an element; empty if it has none."""
    return element.tag[1:].partition("}")[0] if element.tag.startswith("{") else ""


def find_all(element: etree._Element, *names: str) -> Iterator[etree._Element]:
    """Iterate over the element and its descendants with one of these local names (lower case), in document order."""
    return (each for each in element.iter("*") if local_name(each) in names)


def find(element: etree._Element, *names: str) -> etree._Element | None:
    """Return the first result of `find_all`, or None."""
    return next(find_all(element, *names), None)


def text(element: etree._Element | None) -> str:
    """Return all text inside an element, stripped; empty for None."""
    return "".join(map(str, element.itertext())).strip() if element is not None else ""


def value(element: etree._Element, *names: str) -> str:
    """Return the text of the first descendant with one of these local names; empty if there is none."""
    return text(find(element, *names))


def write_envelope(transaction_id: str, namespace: str, body: str) -> bytes:
    """Return an envelope around the XML body, with a mustUnderstand TransactionID (omitted if empty)."""
    header = (
        f'<mm7:TransactionID xmlns:mm7={quoteattr(namespace)} env:mustUnderstand="1">'
        f"{escape_text(transaction_id)}</mm7:TransactionID>"
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<env:Header>{header if transaction_id else ''}</env:Header>"
        f"<env:Body>{body}</env:Body></env:Envelope>"
    ).encode()


def _decode(content_type: str, data: bytes) -> str:
    """Decode an XML document; its bytes take precedence over its declared encoding."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if data.startswith(codecs.BOM_UTF8):
        return data.decode("utf-8", "replace")
    if data[1:2] == b"\x00":
        return data.decode("utf-16-le", "replace")
    if data[:1] == b"\x00":
        return data.decode("utf-16-be", "replace")
    declared = _DECLARED.search(data[:200])
    names = (declared[1].decode() if declared else "", header_parameter(content_type, "charset"))
    declared_codecs = [_CODECS[name.lower()] for name in names if name.lower() in _CODECS]
    for codec in (*declared_codecs, "utf-8"):
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _parse(document: str) -> etree._Element:
    xml = _DECLARATION.sub("", document.strip("\ufeff\x00 \t\r\n")).lstrip()
    if "<!DOCTYPE" in xml:
        raise Malformed("a document type is not allowed")
    try:
        return _from_text(xml, recover=False)
    except etree.XMLSyntaxError:
        pass
    try:
        repaired = _REFERENCE.sub(_drop_invalid, _BARE_AMPERSAND.sub("&amp;", NOT_XML.sub("", xml)))
        root = _from_text(repaired, recover=True)
    except etree.XMLSyntaxError as error:
        raise Malformed("the body is not XML") from error
    if root is None:
        raise Malformed("the body is not XML")
    # The recovering parser also completes truncated documents, but a truncated number is a wrong number.
    if not re.search(rf"</(?:[\w.-]+:)?{re.escape(local_name(root))}\s*>$", xml, re.IGNORECASE):
        raise Malformed("the envelope is truncated")
    return root


def _drop_invalid(reference: re.Match[str]) -> str:
    """Return the reference, or "" for an invalid character, which the recovering parser would accept."""
    code = int(reference[1]) if reference[1] else int(reference[2], 16)
    return reference[0] if code <= sys.maxunicode and not NOT_XML.match(chr(code)) else ""


def _from_text(xml: str, *, recover: bool) -> etree._Element:
    parser = etree.XMLParser(
        encoding="utf-8",
        recover=recover,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    return etree.fromstring(xml.encode("utf-8", "replace"), parser)


def _is_deeper(root: etree._Element, depth: int) -> bool:
    level = [root]
    for _ in range(depth):
        level = [child for element in level for child in element.iterchildren("*")]
        if not level:
            return False
    return True
