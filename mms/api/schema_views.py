"""The machine-readable schemas: an XML schema for each XML dialect, and an OpenAPI description of JSON."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.http import HttpRequest, HttpResponse

from mms.api.dialects import SINCH, SKYCORE, Dialect

FOLDER: Final = Path(__file__).parent / "schemas"
XML_DIALECTS: Final = {"sinch": SINCH, "skycore": SKYCORE}
# A placeholder in dialect.xsd for a name or a value of the dialect.
PLACEHOLDER = re.compile(r"\{(root|in|out|boolean)(?:\[(\w+)\])?\}")


def xml_schema(dialect: Dialect) -> str:
    """Return the XML schema of the dialect: dialect.xsd with its placeholders replaced."""
    text = (FOLDER / "dialect.xsd").read_text()
    return "".join(line for template in text.splitlines(keepends=True) for line in _lines(template, dialect))


def _lines(template: str, dialect: Dialect) -> Iterator[str]:
    """Yield the line in the dialect's names, and once more for a parameter with an alias."""
    boolean = "|".join(("", *("".join(f"[{c.upper()}{c}]" for c in word) for word in dialect.boolean_words)))
    names = {
        "root": {"request": dialect.request_root, "response": dialect.response_root},
        "in": dialect.parameters,
        "out": dialect.answers,
    }

    def name(place: re.Match[str]) -> str:
        return boolean if place[1] == "boolean" else names[place[1]][place[2]]

    yield PLACEHOLDER.sub(name, template)
    found = PLACEHOLDER.search(template)
    if found and found[1] == "in" and found[2] in dialect.aliases:
        yield PLACEHOLDER.sub(dialect.aliases[found[2]], template)


def openapi() -> str:
    """Return the OpenAPI description of the JSON endpoint, in YAML."""
    return (FOLDER / "openapi.yaml").read_text()


def xsd_view(_: HttpRequest, dialect: str) -> HttpResponse:
    """Serve the XML schema of a dialect."""
    return HttpResponse(xml_schema(XML_DIALECTS[dialect]), content_type="application/xml; charset=utf-8")


def openapi_view(_: HttpRequest) -> HttpResponse:
    """Serve the OpenAPI description."""
    return HttpResponse(openapi(), content_type="application/yaml; charset=utf-8")
