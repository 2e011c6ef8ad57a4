"""Requests and answers of the customer API in each dialect, as written and parsed by a customer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from lxml import etree

from simulator.chaos.send_requests import Endpoint

# Names, as in Sinch XML, and values, in order.
Fields: TypeAlias = Sequence[tuple[str, "str | Fields"]]

SKYCORE_NAMES = {
    "service-id": "CAMPAIGNREF",
    "ddm-message-text": "DDMTEXT",
    "ddm-message-timeout": "DDMTIMEOUT",
    "mms-id": "MMSID",
    "message-text": "TEXT",
    "message-subject": "SUBJECT",
    "api-key": "API_KEY",
}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """Fields of an answer; all are empty if it violates the API."""

    status: str = ""
    tracking_id: str = ""
    code: str = ""
    mms_id: str = ""


def build_request(endpoint: Endpoint, key: str, fields: Fields, headers: Mapping[str, str]) -> HttpRequest:
    """Return the request with these fields and this API key."""
    match endpoint:
        case Endpoint.SINCH:
            body = _xml("request", [*fields, ("api-key", key)]).encode()
            return HttpRequest("POST", "/ep/v1/", body, {"Content-Type": "text/xml", **headers})
        case Endpoint.SKYCORE:
            body = _xml("REQUEST", _skycore([*fields, ("api-key", key)])).encode()
            return HttpRequest("POST", "/API/wxml/1.3/", body, {"Content-Type": "text/xml", **headers})
        case Endpoint.GET:
            pairs = {name.lower(): value for name, value in _skycore([*fields, ("api-key", key)])}
            return HttpRequest("GET", f"/API/wxml/1.3/?{urlencode(pairs)}", b"", headers)
        case Endpoint.JSON:
            body = json.dumps(_json_object(fields)).encode()
            return HttpRequest(
                "POST", "/ep/v2/", body, {"Content-Type": "application/json", "x-api-key": key, **headers}
            )


def parse_answer(body: bytes) -> ParsedAnswer:
    """Parse an answer in any dialect."""
    try:
        fields = json.loads(body) if body.lstrip().startswith(b"{") else _elements(body)
    except (ValueError, etree.XMLSyntaxError):
        return ParsedAnswer()
    normalized = {name.lower().replace("-", ""): str(value) for name, value in fields.items()}
    return ParsedAnswer(*(normalized.get(name, "") for name in ("status", "trackingid", "errorcode", "mmsid")))


def _elements(body: bytes) -> dict[str, str]:
    return {etree.QName(child).localname: child.text or "" for child in etree.fromstring(body)}


def _xml(name: str, value: "str | Fields") -> str:
    inside = escape(value) if isinstance(value, str) else "".join(_xml(*field) for field in value)
    return f"<{name}>{inside}</{name}>"


def _skycore(fields: Fields) -> Fields:
    return [(_skycore_name(name), _skycore_value(value)) for name, value in fields]


def _skycore_name(name: str) -> str:
    return SKYCORE_NAMES.get(name, name.replace("-", "").upper())


def _skycore_value(value: "str | Fields") -> "str | Fields":
    if isinstance(value, str):
        return {"true": "yes", "false": "no"}.get(value, value)
    return _skycore(value)


def _json_object(fields: Fields) -> dict[str, object]:
    return {name: value if isinstance(value, str) else _json_object(value) for name, value in fields}
