"""Clients of the customer API in each dialect, over real HTTP and independent of the platform's code.

Tests use the names of Sinch XML. Each client translates requests and answers, and validates both against the schema of
its dialect.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import jsonschema
from lxml import etree

# Name -> text, nested content, or a list of either for a repeated element.
Content = Mapping[str, Any]

SKYCORE_NAMES = {
    "api-key": "API_KEY",
    "service-id": "CAMPAIGNREF",
    "message-subject": "SUBJECT",
    "message-text": "TEXT",
    "ddm-message-text": "DDMTEXT",
    "ddm-message-subject": "DDMTITLE",
    "ddm-message-timeout": "DDMTIMEOUT",
    "from-mask": "FROM_MASK",
    "mms-expiry-timestamp": "MMSEXPIRYTIMESTAMP",
}
BOOLEANS = ("disable-fallback-sms", "disable-fallback-sms-link", "ddm-force", "dry-run")
JSON_MEDIA = {"vcard": "contact", "ical": "calendar"}
JSON_LISTS = {"mms-templates": "mms-template", "events": "event", "renditions": "rendition", "text-areas": "text-area"}
REPEATED = ("mms-template", "event", "rendition", "text-area")


@dataclass(frozen=True)
class Server:
    """The URL of the platform, a key, its sender address and service, and a recipient."""

    url: str
    key: str
    sender: str
    service: str
    number: str

    def fetch(self, path: str) -> str:
        with urlopen(self.url + path, timeout=30) as reply:
            return str(reply.read().decode())

    def send(self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
        with urlopen(Request(self.url + path, body, dict(headers or {})), timeout=30) as reply:
            return bytes(reply.read())


class Client(Protocol):
    """A client that calls an action and returns the answer in the names of Sinch XML."""

    def __call__(self, action: str, **content: Any) -> dict[str, Any]: ...

    def name_of(self, name: str) -> str:
        """Return the name of a Sinch XML parameter in this dialect."""
        ...


def xml(name: str, content: Any) -> etree._Element:
    element = etree.Element(name)
    if isinstance(content, Mapping):
        for child, value in content.items():
            for item in value if isinstance(value, list) else [value]:
                element.append(xml(child, item))
    else:
        element.text = str(content)
    return element


def fields(element: etree._Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in element:
        value = fields(child) if len(child) else child.text or ""
        if str(child.tag) in REPEATED:
            found.setdefault(str(child.tag), []).append(value)
        else:
            found[str(child.tag)] = value
    return found


@dataclass(frozen=True)
class Sinch:
    server: Server
    schema: etree.XMLSchema

    def __call__(self, action: str, **content: Any) -> dict[str, Any]:
        document = xml("request", {"action": action, "api-key": self.server.key, **dashed(content)})
        answer = etree.fromstring(self.server.send("/ep/v1/", etree.tostring(document, encoding="UTF-8")))
        self.schema.assertValid(answer)
        if answer.findtext("status") == "Success":
            self.schema.assertValid(document)
        return fields(answer)

    def name_of(self, name: str) -> str:
        return name


@dataclass(frozen=True)
class Skycore:
    server: Server
    schema: etree.XMLSchema

    def __call__(self, action: str, **content: Any) -> dict[str, Any]:
        given = skycore({"action": action, "api-key": self.server.key, **dashed(content)})
        document = xml("REQUEST", given)
        body = urlencode({"xml": etree.tostring(document, encoding="unicode")}).encode()
        answer = etree.fromstring(self.server.send("/API/wxml/1.3/index.php", body))
        self.schema.assertValid(answer)
        if answer.findtext("STATUS") == "Success":
            self.schema.assertValid(document)
        return fields(from_skycore(answer))

    def name_of(self, name: str) -> str:
        return skycore_name(name)


@dataclass(frozen=True)
class Get(Skycore):
    """Skycore's key/value pairs; requests with slides, which they cannot carry, are sent as XML."""

    def __call__(self, action: str, **content: Any) -> dict[str, Any]:
        if "slide" in content:
            return super().__call__(action, **content)
        given = skycore({"action": action, "api-key": self.server.key, **dashed(content)})
        query = urlencode(list(pairs(given)))
        answer = etree.fromstring(self.server.send(f"/API/wxml/1.3/index.php?{query}"))
        self.schema.assertValid(answer)
        return fields(from_skycore(answer))

    def name_of(self, name: str) -> str:
        return skycore_name(name).lower()


@dataclass(frozen=True)
class Json:
    server: Server
    description: Mapping[str, Any]

    def __call__(self, action: str, **content: Any) -> dict[str, Any]:
        given = dashed(content)
        if texts := given.pop("custom-text", None):
            given["custom-slides"] = [
                {"custom-message-text": text["value"], "custom-slide": text["slide"]} for text in texts
            ]
        if subject := given.pop("custom-subject", None):
            given["message-subject"] = subject
        if slides := given.get("slide"):
            given["slide"] = [json_slide(slide) for slide in slides]
        document = {"action": action, **given}
        headers = {"x-api-key": self.server.key, "content-type": "application/json"}
        answer = json.loads(self.server.send("/ep/v2/", json.dumps(document).encode(), headers))
        if answer["status"] == "Success":
            self.validate("Request", document)
        self.validate("Answer", answer)
        return {JSON_LISTS.get(name, name): value for name, value in answer.items()}

    def name_of(self, name: str) -> str:
        return {"custom-subject": "message-subject", "custom-text": "custom-slides"}.get(name, name)

    def validate(self, part: str, document: object) -> None:
        schema = {"$ref": f"#/components/schemas/{part}", "components": self.description["components"]}
        jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)


def json_slide(slide: Content) -> Content:
    """Return the slide with the JSON names of its media and text areas."""
    media = {JSON_MEDIA.get(name, name): part for name, part in slide.items()}
    if areas := slide.get("image", {}).get("text-area"):
        media["image"] = {"url": slide["image"]["url"], "text-areas": areas}
    return media


def dashed(content: Content) -> dict[str, Any]:
    """Return keyword arguments as Sinch names: hyphens for underscores, `from` for `from_`."""
    return {name.rstrip("_").replace("_", "-"): value for name, value in content.items()}


def skycore(content: Any, inside: str = "") -> Any:
    """Return the content with Skycore's names and booleans; the names in `data` are merge tags and stay."""
    if isinstance(content, list):
        return [skycore(item, inside) for item in content]
    if not isinstance(content, Mapping):
        return {"true": "yes", "false": "no"}[content] if inside in BOOLEANS else content
    if inside == "data":
        return content
    return {skycore_name(name): skycore(value, name) for name, value in content.items()}


def skycore_name(name: str) -> str:
    return SKYCORE_NAMES.get(name, name.replace("-", "").upper())


def pairs(content: Content) -> Iterator[tuple[str, str]]:
    """Yield a request with Skycore's names as key/value pairs."""
    for name, value in content.items():
        if name == "CUSTOMTEXT":
            yield from ((f"customtext_{text['SLIDE']}", text["VALUE"]) for text in value)
        elif name == "DATA":
            yield from ((f"data_{tag}", text) for tag, text in value.items())
        else:
            yield name.lower(), value


def from_skycore(answer: etree._Element) -> etree._Element:
    """Return the answer with the names of Sinch XML, which are Skycore's in lower case with hyphens."""
    known = [
        "mms-id",
        "tracking-id",
        "status-details",
        "error-code",
        "error-info",
        "start-date",
        "page-number",
        "items-per-page",
        "total-results",
        "mms-template",
        "mms-name",
        "mms-subject",
        "date-created",
        "total-slides",
        "mms-size",
        "message-status",
        "sent-as",
        "client-reference",
        "operator-id",
        "handset-age",
        "text-area",
        "font-size",
        "vertical-align",
    ]
    names = {name.replace("-", "").upper(): name for name in known}
    for element in answer.iter():
        element.tag = names.get(str(element.tag), str(element.tag).lower())
    return answer
