"""Dialects: the wire formats of postbacks, as tables of field names and of codes that differ.

Sinch XML and Skycore XML follow the MMS services of those names, JSON follows the Sinch JSON MMS service.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from billing.models import Account
from mms.postbacks.notices import EXPIRED, FIELD_ORDER, REJECTED
from mms.runtime.xml import DECLARATION, escape_text

WireFields = Iterable[tuple[str, Any]]  # (name on the wire, value); a value is a text or a list of file URLs


@dataclass(frozen=True, slots=True)
class Dialect:
    """The content type, the encoder, the field names, and the codes that depend on the status."""

    content_type: str
    encode: Callable[[WireFields, "Dialect"], bytes]
    names: Mapping[str, str]  # ours -> on the wire
    codes: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (our code, status) -> on the wire

    def code(self, fields: Mapping[str, Any]) -> str:
        """Return the code on the wire of a postback with these fields."""
        ours = str(fields.get("code", ""))
        return self.codes.get((ours, fields.get("status", "")), ours)


def body(fields: Mapping[str, Any], dialect: str) -> bytes:
    """Return the request body with these fields in the named dialect."""
    chosen = DIALECTS[dialect]
    values = {**fields, "code": chosen.code(fields)}
    return chosen.encode(((chosen.names[name], values[name]) for name in FIELD_ORDER if name in values), chosen)


def _xml(fields: WireFields, dialect: Dialect) -> bytes:
    root, file = dialect.names["postback"], dialect.names["file"]
    content = "".join(_element(name, value, file) for name, value in fields)
    return f"{DECLARATION}<{root}>{content}</{root}>".encode()


def _element(name: str, value: str | list[str], file: str) -> str:
    inside = escape_text(value) if isinstance(value, str) else "".join(_element(file, url, file) for url in value)
    return f"<{name}>{inside}</{name}>"


def _json(fields: WireFields, dialect: Dialect) -> bytes:
    file = dialect.names["file"]
    document = {n: value if isinstance(value, str) else [{file: url} for url in value] for n, value in fields}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


HYPHENATED: Final = {name: name for name in (*FIELD_ORDER, "postback", "file")}

SINCH: Final = Dialect("text/xml; charset=utf-8", _xml, HYPHENATED)

JSON: Final = Dialect("application/json", _json, HYPHENATED, codes={("E102", EXPIRED): "N103"})

SKYCORE: Final = Dialect(
    "text/xml; charset=utf-8",
    _xml,
    names={
        "postback": "POSTBACK",
        "origin": "ORIGIN",
        "code": "CODE",
        "sent-as": "SENTAS",
        "status": "STATUS",
        "mms-id": "MMSID",
        "from": "FROM",
        "to": "TO",
        "keyword": "KEYWORD",
        "tracking-id": "TRACKINGID",
        "operator-id": "SPID",
        "timestamp": "TIMESTAMP",
        "message-subject": "SUBJECT",
        "handset": "HANDSET",
        "status-details": "STATUSDETAILS",
        "client-reference": "CLIENTREFERENCE",
        "audio-name": "AUDIONAME",
        "video-name": "VIDEONAME",
        "image-name": "IMAGENAME",
        "content": "CONTENT",
        "file": "FILE",
    },
    # Skycore's N102 stands for any report of the carrier; its status gives the result.
    codes={("E102", EXPIRED): "N102", ("E102", REJECTED): "N102"},
)

DIALECTS: Final[Mapping[str, Dialect]] = {
    Account.Dialect.SINCH: SINCH,
    Account.Dialect.SKYCORE: SKYCORE,
    Account.Dialect.JSON: JSON,
}
