"""How a customer writes a request and reads the answer, in each dialect. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from lxml import etree

from simulator.chaos.orders import Door

# Names and values in their order, named as in Sinch XML.
Fields: TypeAlias = Sequence[tuple[str, "str | Fields"]]

SKYCORE = {
    "service-id": "CAMPAIGNREF",
    "ddm-message-text": "DDMTEXT",
    "ddm-message-timeout": "DDMTIMEOUT",
    "mms-id": "MMSID",
    "message-text": "TEXT",
    "message-subject": "SUBJECT",
    "api-key": "API_KEY",
}


@dataclass(frozen=True, slots=True)
class Written:
    """An HTTP request."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Read:
    """What an answer says; all empty where it is none of the protocol's."""

    status: str = ""
    tracking_id: str = ""
    code: str = ""
    mms_id: str = ""


def write(door: Door, key: str, fields: Fields, headers: Mapping[str, str]) -> Written:
    """The request with these fields by the account of this key."""
    match door:
        case Door.SINCH:
            body = _xml("request", [*fields, ("api-key", key)]).encode()
            return Written("POST", "/ep/v1/", body, {"Content-Type": "text/xml", **headers})
        case Door.SKYCORE:
            body = _xml("REQUEST", _skycore([*fields, ("api-key", key)])).encode()
            return Written("POST", "/API/wxml/1.3/", body, {"Content-Type": "text/xml", **headers})
        case Door.GET:
            pairs = {name.lower(): value for name, value in _skycore([*fields, ("api-key", key)])}
            return Written("GET", f"/API/wxml/1.3/?{urlencode(pairs)}", b"", headers)
        case Door.JSON:
            body = json.dumps(_members(fields)).encode()
            return Written("POST", "/ep/v2/", body, {"Content-Type": "application/json", "x-api-key": key, **headers})


def read(body: bytes) -> Read:
    """The answer in these bytes, of whichever dialect."""
    try:
        said = json.loads(body) if body.lstrip().startswith(b"{") else _elements(body)
    except (ValueError, etree.XMLSyntaxError):
        return Read()
    plain = {name.lower().replace("-", ""): str(value) for name, value in said.items()}
    return Read(*(plain.get(name, "") for name in ("status", "trackingid", "errorcode", "mmsid")))


def _elements(body: bytes) -> dict[str, str]:
    return {etree.QName(child).localname: child.text or "" for child in etree.fromstring(body)}


def _xml(name: str, value: "str | Fields") -> str:
    inside = escape(value) if isinstance(value, str) else "".join(_xml(*field) for field in value)
    return f"<{name}>{inside}</{name}>"


def _skycore(fields: Fields) -> Fields:
    return [(_skycore_name(name), _skycore_value(value)) for name, value in fields]


def _skycore_name(name: str) -> str:
    return SKYCORE.get(name, name.replace("-", "").upper())


def _skycore_value(value: "str | Fields") -> "str | Fields":
    if isinstance(value, str):
        return {"true": "yes", "false": "no"}.get(value, value)
    return _skycore(value)


def _members(fields: Fields) -> dict[str, object]:
    return {name: value if isinstance(value, str) else _members(value) for name, value in fields}
