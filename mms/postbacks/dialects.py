"""How a postback looks on the wire: the same fields in three dialects, as tables of names and of differing codes. Pure.

Sinch and Skycore: the XML MMS services of those names; JSON: the Sinch JSON MMS service.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from billing.models import Account
from mms.postbacks.notices import EXPIRED, ORDER, REJECTED
from mms.runtime.xml import DECLARATION, xml_text

Told = Iterable[tuple[str, Any]]  # (name on the wire, value); the value is a text, or the URLs of files


@dataclass(frozen=True, slots=True)
class Dialect:
    """Its content type and form, its names for the fields, and its codes where they depend on the status."""

    content_type: str
    write: Callable[[Told, "Dialect"], bytes]
    names: Mapping[str, str]  # ours -> on the wire
    codes: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (our code, status) -> on the wire

    def code(self, fields: Mapping[str, Any]) -> str:
        """The code of a postback with these fields, as the customer knows it."""
        ours = str(fields.get("code", ""))
        return self.codes.get((ours, fields.get("status", "")), ours)


def body(fields: Mapping[str, Any], dialect: str) -> bytes:
    """The bytes that tell these fields in the dialect of that name."""
    chosen = DIALECTS[dialect]
    told = {**fields, "code": chosen.code(fields)}
    return chosen.write(((chosen.names[name], told[name]) for name in ORDER if name in told), chosen)


def _xml(told: Told, dialect: Dialect) -> bytes:
    root, file = dialect.names["postback"], dialect.names["file"]
    content = "".join(_element(name, value, file) for name, value in told)
    return f"{DECLARATION}<{root}>{content}</{root}>".encode()


def _element(name: str, value: str | list[str], file: str) -> str:
    inside = xml_text(value) if isinstance(value, str) else "".join(_element(file, url, file) for url in value)
    return f"<{name}>{inside}</{name}>"


def _json(told: Told, dialect: Dialect) -> bytes:
    file = dialect.names["file"]
    document = {n: value if isinstance(value, str) else [{file: url} for url in value] for n, value in told}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


HYPHENATED: Final = {name: name for name in (*ORDER, "postback", "file")}

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
    # There N102 says that the carrier reported, and the status what.
    codes={("E102", EXPIRED): "N102", ("E102", REJECTED): "N102"},
)

DIALECTS: Final[Mapping[str, Dialect]] = {
    Account.Dialect.SINCH: SINCH,
    Account.Dialect.SKYCORE: SKYCORE,
    Account.Dialect.JSON: JSON,
}
